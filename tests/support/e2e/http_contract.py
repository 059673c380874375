"""Requests and answers that tests of the HTTP contract share."""

import re
from typing import Any

import httpx

ITEM = "/api/v1/watchlist/AAPL"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, which must be whole."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    assert body["type"] == f"urn:qnt9:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    members = {"type", "title", "status", "detail", "code", "request_id"}
    assert body.keys() - {"errors", "trace_id"} == members
    assert re.fullmatch("[0-9a-f]{32}", body.get("trace_id", "0" * 32))  # health is not traced
    return body
