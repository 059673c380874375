"""Quotes and searches over the whole way: one call for many, and never a wrong price."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx

from tests.support.e2e.exchange_control import age_quotes, exchange_of
from tests.support.e2e.outages import is_problem
from tests.support.e2e.quotes import cold, quotes
from tests.support.stack import Stack, User
from tests.support.waiting import eventually


async def test_a_hundred_who_ask_at_once_for_a_cold_symbol_are_one_call(
    stack: Stack, user: User
) -> None:
    (symbol,) = cold()
    limits = httpx.Limits(max_connections=100)
    async with exchange_of(stack) as exchange, stack.http(limits=limits) as http:
        path = f"/api/v1/quotes/{symbol}"
        asked = (http.get(path, headers=user.headers) for _ in range(100))
        answers = await asyncio.gather(*asked)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert await exchange.calls(symbol) == 1


async def test_forty_five_symbols_are_three_calls(stack: Stack, user: User) -> None:
    symbols = cold(45)
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        before = await exchange.endpoints()
        items = await quotes(http, *symbols)
        assert [item["symbol"] for item in items] == symbols
        assert all(item["quote"] and item["problem"] is None for item in items)
        after = await exchange.endpoints()
        assert after.get("spark", 0) - before.get("spark", 0) == 3
        assert after.get("chart", 0) == before.get("chart", 0)


async def test_each_of_several_symbols_has_an_outcome_of_its_own(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        items = await quotes(http, "aapl", "NOPE", "no symbol!", "SAP.DE", "AAPL")
        assert [item["symbol"] for item in items] == ["AAPL", "NOPE", "NO SYMBOL!", "SAP.DE"]
        apple, nope, none, sap = items
        assert apple["quote"]["currency"] == "USD"
        assert sap["quote"]["currency"] == "EUR"
        title = "The symbol does not exist"
        unknown = {"code": "unknown-symbol", "title": title, "status": 404, "detail": title}
        assert nope["problem"] == none["problem"] == unknown
        for wrong in ("", ",", ",".join(cold(101))):
            answer = await http.get("/api/v1/quotes", params={"symbols": wrong})
            assert answer.status_code == 422
            assert is_problem(answer, "invalid-fields", retry=False)
        assert (await http.get("/api/v1/quotes")).status_code == 422


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "reset"},
    {"kind": "redirect_consent"},
    {"kind": "other_symbol"},
    {"kind": "null_currency"},
    {"kind": "price", "value": 0},
    {"kind": "price", "value": -5},
    {"kind": "price", "value": "NaN"},
    {"kind": "slow_headers", "seconds": 30},
    {"kind": "slow_body", "seconds": 30},
)


async def test_whatever_the_exchange_says_is_a_right_price_or_none(
    stack: Stack, user: User
) -> None:
    """And never a server error but 503, nor a worker that is stuck."""
    symbols = cold(len(FAULTS))
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        for symbol, fault in zip(symbols, FAULTS, strict=True):
            await exchange.fault(symbol, **fault)
            answer = await http.get(f"/api/v1/quotes/{symbol}")
            assert answer.status_code == 503, (fault, answer.text)
            assert is_problem(answer, "quote-unavailable")

            async def well() -> bool:
                (item,) = await quotes(http, *cold())
                return bool(item["quote"])

            await eventually(well, seconds=90, what=f"quotes after {fault}")
        (holes,) = cold()
        await exchange.fault(holes, kind="null_holes")
        assert (await http.get(f"/api/v1/quotes/{holes}")).status_code == 200


async def test_a_quote_past_its_soft_time_is_shown_at_once_and_renewed_behind(
    stack: Stack, user: User
) -> None:
    (symbol,) = cold()
    path = f"/api/v1/quotes/{symbol}"
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        first = (await http.get(path)).json()
        await age_quotes(stack)
        await exchange.fault(symbol, kind="slow_headers", seconds=1, times=1)
        again = await asyncio.gather(*(http.get(path) for _ in range(20)))
        assert all(answer.json() == first for answer in again)

        async def renewed() -> bool:
            fetched: str = (await http.get(path)).json()["fetched_at"]
            return fetched > str(first["fetched_at"])

        await eventually(renewed, what="a newer quote")
        assert await exchange.calls(symbol) == 2


async def test_a_quote_past_its_hard_time_is_waited_for(stack: Stack, user: User) -> None:
    (symbol,) = cold()
    async with stack.http(headers=user.headers) as http:
        first = (await http.get(f"/api/v1/quotes/{symbol}")).json()
        await age_quotes(stack, by=timedelta(minutes=6))

        async def another() -> bool:
            """A quote of a moment ago is still current."""
            again = (await http.get(f"/api/v1/quotes/{symbol}")).json()
            assert again["stale"] is False
            return bool(again["fetched_at"] > first["fetched_at"])

        await eventually(another, seconds=60, what="a newer quote")


async def test_a_watchlist_is_renewed_behind_its_quotes(stack: Stack, user: User) -> None:
    symbols = cold(3)
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        for symbol in symbols:
            assert (await http.put(f"/api/v1/watchlist/{symbol}", json={})).status_code == 201
        await age_quotes(stack)
        before = await exchange.calls(symbols[0])

        async def displayed() -> list[dict[str, Any]]:
            items = (await http.get("/api/v1/watchlist")).json()["items"]
            return [item["quote"] for item in items if item["symbol"] in symbols]

        aged = await displayed()
        assert all(aged)

        async def renewed() -> bool:
            now = await displayed()
            return all(n["fetched_at"] > a["fetched_at"] for n, a in zip(now, aged, strict=True))

        await eventually(renewed, what="newer quotes")
        assert await exchange.calls(symbols[0]) == before + 1


async def test_pounds_instead_of_pence_overnight_never_reach_a_client(
    stack: Stack, user: User
) -> None:
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        good = (await http.get("/api/v1/quotes/BARC.L")).json()
        assert (good["currency"], good["quoted_unit"]) == ("GBP", "GBp")
        await age_quotes(stack)
        async with stack.postgres() as database:
            began = await database.fetchval("SELECT now()")
        await exchange.fault("BARC.L", kind="currency", value="GBP")

        async def reported() -> bool:
            displayed = (await http.get("/api/v1/quotes/BARC.L")).json()
            assert displayed["price"] == good["price"]
            async with stack.postgres() as database:
                query = """
                    SELECT EXISTS (
                           SELECT FROM audit_log
                            WHERE action = 'quote.held_back' AND created_at >= $1
                              AND details ->> 'symbol' = 'BARC.L')
                """
                return bool(await database.fetchval(query, began))

        await eventually(reported, what="the event")
        displayed = (await http.get("/api/v1/quotes/BARC.L")).json()
        assert displayed["price"] == good["price"]
        assert (displayed["stale"], displayed["stale_reason"]) == (True, "upstream_error")
