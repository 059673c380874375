"""What schemathesis needs beyond the document: credentials, and the form of every error."""

import os
from typing import Any

import httpx
import schemathesis

from gateway.problems import PROBLEM_JSON, PROBLEMS

Case = schemathesis.Case[Any]

EMAIL, PASSWORD, URL = "QNT9_TEST_EMAIL", "QNT9_TEST_PASSWORD", "QNT9_TEST_URL"


@schemathesis.auth(refresh_interval=600, retry_on=[401])
class SignedIn:
    """Signs in, and again when the requests have ended the session."""

    def get(self, _case: Case, _context: schemathesis.AuthContext) -> str:
        credentials = {"email": os.environ[EMAIL], "password": os.environ[PASSWORD]}
        answer = httpx.post(
            f"{os.environ[URL]}/api/v1/auth/signin", json=credentials, timeout=30
        ).raise_for_status()
        return str(answer.json()["access_token"])

    def set(self, case: Case, data: str, _context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.check
def errors_are_problems(
    _ctx: schemathesis.CheckContext, response: schemathesis.Response, _case: Case
) -> None:
    """RFC 9457, with a code of the contract; by the server's fault only 503, with when to retry."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == [PROBLEM_JSON]
    body = response.json()
    assert PROBLEMS[body["code"]].status == body["status"] == response.status_code
    assert response.headers["x-request-id"] == [body["request_id"]]
    if response.status_code >= 500:
        assert response.status_code == 503, body
        assert int(response.headers["retry-after"][0]) >= 1
