"""Quotes, and answers of the exchange, as tests need them."""

import json
from datetime import UTC, datetime
from typing import Any

from contracts.quotes import Quote
from tests.support.message_builders import NOW
from workers.quotes.replies import Reply

SECONDS = int(NOW.timestamp())


def a_quote(symbol: str = "AAPL", **changed: Any) -> Quote:
    values: dict[str, Any] = {
        "symbol": symbol,
        "name": "Apple Inc.",
        "price": "101.25",
        "currency": "USD",
        "quoted_unit": "USD",
        "previous_close": "100.00",
        "change_percent": "1.25",
        "market_state": "regular",
        "as_of": datetime.now(UTC),
        "fetched_at": datetime.now(UTC),
        "delay_minutes": 15,
        "source": "sandbox",
    }
    return Quote(**(values | changed))


def a_meta(**changed: Any) -> dict[str, Any]:
    """What a chart says of AAPL in its session; a value of `...` takes the key away."""
    meta: dict[str, Any] = {
        "symbol": "AAPL",
        "currency": "USD",
        "longName": "Apple Inc.",
        "regularMarketPrice": 101.25,
        "regularMarketTime": SECONDS - 60,
        "chartPreviousClose": 100.0,
        "currentTradingPeriod": {
            "pre": {"start": SECONDS - 7200, "end": SECONDS - 3600},
            "regular": {"start": SECONDS - 3600, "end": SECONDS + 3600},
            "post": {"start": SECONDS + 3600, "end": SECONDS + 7200},
        },
    }
    return {name: value for name, value in (meta | changed).items() if value is not ...}


def a_chart(**changed: Any) -> Reply:
    chart = {"chart": {"result": [{"meta": a_meta(**changed)}], "error": None}}
    return Reply(200, json.dumps(chart).encode())


def a_spark(*rows: dict[str, Any]) -> Reply:
    """A spark answer with these metas."""
    result = [{"symbol": meta["symbol"], "response": [{"meta": meta}]} for meta in rows]
    return Reply(200, json.dumps({"spark": {"result": result, "error": None}}).encode())


def an_error(status: int, code: str) -> Reply:
    error = {"code": code, "description": "in words"}
    return Reply(status, json.dumps({"chart": {"result": None, "error": error}}).encode())
