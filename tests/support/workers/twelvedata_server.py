"""A stand-in for Twelve Data: the documented answers of its /quote, and its ways to fail."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.runtime.http_server import http_server

KEY = "a-key-of-tests"


def a_row(symbol: str = "AAPL", **changed: Any) -> dict[str, Any]:
    """What it says of one symbol; a value of `...` takes the key away."""
    row: dict[str, Any] = {
        "symbol": symbol,
        "name": f"{symbol} in words",
        "exchange": "NASDAQ",
        "mic_code": "XNAS",
        "currency": "USD",
        "datetime": "2026-11-03",
        "timestamp": 1_793_700_000,
        "last_quote_at": 1_793_707_200,
        "close": "101.25000",
        "previous_close": "100.00000",
        "percent_change": "1.25",
        "is_market_open": True,
    }
    return {name: value for name, value in (row | changed).items() if value is not ...}


def an_error(code: int) -> dict[str, Any]:
    return {"code": code, "message": "in words", "status": "error"}


@dataclass
class StandIn:
    """Has these rows, by the names under which it is asked for them; or fails as a test sets it."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    reply: Response | None = None
    asked: list[list[str]] = field(default_factory=list)
    url: str = ""

    async def quote(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"apikey {KEY}":
            return JSONResponse(an_error(401), 401)
        if self.reply:
            return self.reply
        names = request.query_params["symbol"].split(",")
        self.asked.append(names)
        answers = {name: self.rows.get(name, an_error(404)) for name in names}
        if len(names) == 1:
            (answer,) = answers.values()
            return JSONResponse(answer, answer.get("code", 200))
        return Response(json.dumps(answers), media_type="application/json")


@asynccontextmanager
async def running_stand_in() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    app = Starlette(routes=[Route("/quote", stand_in.quote)])
    async with http_server(app, "127.0.0.1", 0) as url:
        stand_in.url = url
        yield stand_in
