"""Which endpoint a path is: an encoded slash is part of a value, and parts no segments."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.app import Application
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer
from gateway.routes import ENDPOINTS
from tests.support.gateway.deps import deps_of


async def echo(call: Call, _: object) -> Answer:
    """Say which endpoint it is, and the values of the path."""
    values = dict(call.request.path_params)
    return Answer(200, {"path": call.request.route, "values": values, "asked": call.context.path})


OPEN = [
    replace(endpoint, handler=echo, access=AccessLevel.ANYONE, limits=(), query=None)
    for endpoint in ENDPOINTS
    if endpoint.method == "GET"
]


async def answer_to(raw: str) -> httpx.Response:
    transport: Any = httpx.ASGITransport(Application(deps_of(), OPEN, []))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.get(raw)


@pytest.mark.parametrize(
    ("raw", "symbol"),
    [
        ("/api/v1/quotes/AAPL", "AAPL"),
        ("/api/v1/quotes/BRK%2FB", "BRK/B"),
        ("/api/v1/quotes/BRK%2fB", "BRK/B"),
        ("/api/v1/quotes/%2F", "/"),
        ("/api/v1/quotes/A%2FB%2Fc", "A/B/c"),
        ("/api/v1/quotes/M%26M.NS", "M&M.NS"),
        ("/api/v1/quotes/BRK%252FB", "BRK%2FB"),
    ],
)
async def test_encoded_slash_is_part_of_the_symbol(raw: str, symbol: str) -> None:
    assert (await answer_to(raw)).json() == {
        "path": "/api/v1/quotes/{symbol}",
        "values": {"symbol": symbol},
        "asked": f"/api/v1/quotes/{symbol}",
    }


@pytest.mark.parametrize(
    "raw",
    [
        "/api/v1/quotes/BRK/B",
        "/api/v1%2Fquotes/AAPL",
        "/api/v1/quotes%2FAAPL",
        "%2Fapi/v1/quotes",
        "/api/v1/quotes/BRK%2FB/",
        "/api%2Fv1%2Fquotes",
    ],
)
async def test_path_with_another_number_of_segments_is_not_found(raw: str) -> None:
    assert (await answer_to(raw)).json()["code"] == "not-found"
