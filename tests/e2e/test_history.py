"""Price histories and sparklines over the whole way."""

import asyncio
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.e2e.exchange_control import exchange_of
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

_numbers = count(8_200)
RANGES = {"1d": "5m", "5d": "30m", "1mo": "1d", "6mo": "1d", "ytd": "1d", "1y": "1d"} | {
    "5y": "1wk",
    "max": "1mo",
}


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def path(symbol: str) -> str:
    return f"/api/v1/quotes/{symbol}/history"


async def test_each_range_is_served_with_its_interval(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        for range_, interval in RANGES.items():
            answer = await http.get(path("SAP.DE"), params={"range": range_})
            assert answer.status_code == 200, answer.text
            history = answer.json()
            assert (history["range"], history["interval"]) == (range_, interval)
            assert (history["stale"], history["source"]) == (False, "sandbox")
            times = [point["time"] for point in history["points"]]
            assert times == sorted(set(times))
            assert 0 < len(times) <= 1_500


async def test_history_wanted_by_many_at_once_is_one_call(stack: Stack, user: User) -> None:
    symbol = f"X{next(_numbers):04}.DE"
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        answers = await asyncio.gather(*(http.get(path(symbol)) for _ in range(30)))
        assert {answer.status_code for answer in answers} == {200}
        assert await exchange.calls(symbol) == 1


@pytest.mark.parametrize(
    "query", ["range=2d", "range=", "range=1D", "range=1d&range=5d", "range=1d%00", "since=1"]
)
async def test_bad_query_is_a_problem(stack: Stack, user: User, query: str) -> None:
    async with stack.http(headers=user.headers) as http:
        for target in (path("SAP.DE"), "/api/v1/sparklines"):
            assert problem(await http.get(f"{target}?{query}")) == (422, "invalid-fields")


@pytest.mark.parametrize("symbol", ["QNT9NOPE", "%20", "a%2Fb", "A" * 40, "%00", "ẞ", "..%2F.."])
async def test_unknown_symbol_is_a_problem(stack: Stack, user: User, symbol: str) -> None:
    async with stack.http(headers=user.headers) as http:
        assert problem(await http.get(path(symbol))) == (404, "unknown-symbol")


async def test_class_share_is_named_by_its_spelling(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        answer = await http.get(path("BRK.B"))
        assert answer.json()["detail"] == "Did you mean BRK-B?"


async def test_history_needs_a_verified_caller(stack: Stack) -> None:
    async with stack.http() as http:
        assert problem(await http.get(path("SAP.DE"))) == (401, "unauthenticated")
        assert problem(await http.get("/api/v1/sparklines")) == (401, "unauthenticated")


async def test_sparklines_of_the_watchlist_come_in_its_order(stack: Stack) -> None:
    user = await stack.verified_user()
    symbols = ["SAP.DE", "VOD.L", "AAPL"]
    async with stack.http(headers=user.headers) as http:
        for symbol in symbols:
            (await http.put(f"/api/v1/watchlist/{symbol}")).raise_for_status()

        async def complete() -> list[dict[str, Any]]:
            answer = await http.get("/api/v1/sparklines", params={"range": "5d"})
            assert answer.status_code == 200, answer.text
            items: list[dict[str, Any]] = answer.json()["items"]
            assert [item["symbol"] for item in items] == symbols
            return items if all(item["sparkline"] for item in items) else []

        items = await eventually(complete)
        lines = [item["sparkline"] for item in items]
        assert [line["currency"] for line in lines] == ["EUR", "GBP", "USD"]
        assert all(len(line["times"]) == len(line["closes"]) > 10 for line in lines)


async def test_sparklines_of_an_empty_watchlist_are_none(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        answer: httpx.Response = await http.get("/api/v1/sparklines")
        assert answer.json() == {"range": "1d", "interval": "15m", "items": []}
