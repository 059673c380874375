"""Quotes and searches over the whole way: one call for many, and never a wrong price."""

import asyncio
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.e2e.exchange_control import age_quotes, exchange_of
from tests.support.e2e.outages import is_problem
from tests.support.stack import Stack, User, eventually

_numbers = count(5_000)


def cold(n: int = 1) -> list[str]:
    """Symbols that nobody has asked for yet."""
    return [f"X{next(_numbers):04}.DE" for _ in range(n)]


@pytest.fixture(scope="module")
async def user(stack: Stack) -> User:
    return await stack.verified_user()


async def quotes(http: httpx.AsyncClient, *symbols: str) -> list[dict[str, Any]]:
    answer = await http.get("/api/v1/quotes", params={"symbols": ",".join(symbols)})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


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
            """What was told a moment ago still stands."""
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

        async def shown() -> list[dict[str, Any]]:
            items = (await http.get("/api/v1/watchlist")).json()["items"]
            return [item["quote"] for item in items if item["symbol"] in symbols]

        aged = await shown()
        assert all(aged)

        async def renewed() -> bool:
            now = await shown()
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

        async def told() -> bool:
            shown = (await http.get("/api/v1/quotes/BARC.L")).json()
            assert shown["price"] == good["price"]
            async with stack.postgres() as database:
                query = """
                    SELECT EXISTS (
                           SELECT FROM audit_log
                            WHERE action = 'quote.held_back' AND created_at >= $1
                              AND details ->> 'symbol' = 'BARC.L')
                """
                return bool(await database.fetchval(query, began))

        await eventually(told, what="the event")
        shown = (await http.get("/api/v1/quotes/BARC.L")).json()
        assert shown["price"] == good["price"]
        assert (shown["stale"], shown["stale_reason"]) == (True, "upstream_error")


async def test_searches(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:

        async def search(text: str) -> httpx.Response:
            return await http.get("/api/v1/search", params={"q": text})

        for text, kind in (("DE0007164600", "isin"), ("716460", "wkn"), ("sap.de", "text")):
            answer = await search(text)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["kind"] == kind
            first = found["candidates"][0]
            assert (first["symbol"], first["currency"], first["exchange"], first["type"]) == (
                "SAP.DE",
                "EUR",
                "XETRA",
                "equity",
            )
        several = (await search("alphabet")).json()["candidates"]
        assert [each["symbol"] for each in several] == ["GOOG", "GOOGL"]
        (foreign,) = (await search("865985")).json()["candidates"]
        assert (foreign["symbol"], foreign["isin"]) == ("AAPL", None)
        assert (await search("no such thing")).json()["candidates"] == []
        wrong = await search("DE0007164601")
        assert wrong.status_code == 422
        assert wrong.json()["errors"] == [
            {"field": "q", "message": "the check digit of this ISIN is wrong"}
        ]
        for text in ("", "  ", "x" * 65, "<b>sap</b>"):
            assert (await search(text)).status_code == 422


async def test_unknown_symbols_leave_the_circuit_closed(stack: Stack, user: User) -> None:
    unknown = [f"NOSUCH{n}" for n in range(5)]
    async with exchange_of(stack) as exchange, stack.http(headers=user.headers) as http:
        items = await quotes(http, *unknown)
        assert {item["problem"]["code"] for item in items} == {"unknown-symbol"}
        well = await quotes(http, *cold(2))
        assert all(item["quote"] for item in well)
        asked = await exchange.calls(unknown[0])
        await quotes(http, *unknown)
        assert await exchange.calls(unknown[0]) == asked
    (provider,) = _details(stack)["providers"]
    assert provider["name"] == "sandbox"


def _details(stack: Stack) -> dict[str, Any]:
    processes = stack.status()["processes"]
    details: dict[str, Any] = next(p["details"] for p in processes if p["name"] == "quotes")
    return details


async def test_the_doctor_finds_the_sandbox_as_expected(stack: Stack) -> None:
    shown = await asyncio.to_thread(stack.qnt9, "quotes", "doctor")
    lines = shown.strip().splitlines()
    assert len(lines) == 8
    assert all(line.startswith("ok ") for line in lines), shown


async def test_symbol_with_an_ampersand_has_a_quote(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        answer = await http.get("/api/v1/quotes/M%26M.NS")
        assert answer.status_code == 200, answer.text
        assert answer.json()["symbol"] == "M&M.NS"
        found = await http.get("/api/v1/search", params={"q": "mahindra"})
        assert [each["symbol"] for each in found.json()["candidates"]] == ["M&M.NS"]


async def test_price_in_cents_is_told_in_dollars(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        quote = (await http.get("/api/v1/quotes/ZC=F")).json()
        assert (quote["currency"], quote["quoted_unit"]) == ("USD", "USX")
        assert 1 < float(quote["price"]) < 20


async def test_class_share_is_found_and_named_in_any_spelling(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        unknown = await http.get("/api/v1/quotes/BRK.B")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-symbol")
        assert unknown.json()["detail"] == "Did you mean BRK-B?"
        followed = await http.put("/api/v1/watchlist/BRK.B")
        assert (followed.status_code, followed.json()["code"]) == (404, "unknown-symbol")
        assert followed.json()["detail"] == "Did you mean BRK-B?"
        for path in ("quotes/BRK%2FB", "quotes/brk%2fb"):
            answer = await http.get(f"/api/v1/{path}")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown-symbol")
            assert answer.json()["detail"] == "Did you mean BRK-B?"
        followed = await http.put("/api/v1/watchlist/BRK%2FB", json={})
        assert (followed.status_code, followed.json()["code"]) == (404, "unknown-symbol")
        # That there is a spelling says not that there is such a share.
        dotted, slashed, none, there = await quotes(http, "BRK.B", "brk/b", "NOPE.B", "BRK-B")
        details = [each["problem"]["detail"] for each in (dotted, slashed, none)]
        assert details == [
            "Did you mean BRK-B?",
            "Did you mean BRK-B?",
            "The symbol does not exist",
        ]
        assert there["quote"]["symbol"] == "BRK-B"
        for text in ("BRK.B", "BRK/B", "brk b", "BRK-B"):
            found = await http.get("/api/v1/search", params={"q": text})
            assert found.json()["candidates"][0]["symbol"] == "BRK-B", text


async def test_isin_in_groups_finds_its_listing(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        for text in ("US 0378331005", "ISIN: US-037833-100-5"):
            found = (await http.get("/api/v1/search", params={"q": text})).json()
            assert found["kind"] == "isin"
            assert "AAPL" in {each["symbol"] for each in found["candidates"]}
