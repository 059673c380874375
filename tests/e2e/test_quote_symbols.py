"""Searches, unknown symbols and spellings over the whole way."""

import asyncio
from typing import Any

import httpx

from tests.support.e2e.exchange_control import exchange_of
from tests.support.e2e.quotes import cold, quotes
from tests.support.stack import Stack, User


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
    displayed = await asyncio.to_thread(stack.qnt9, "quotes", "doctor")
    lines = displayed.strip().splitlines()
    assert len(lines) == 8
    assert all(line.startswith("ok ") for line in lines), displayed


async def test_symbol_with_an_ampersand_has_a_quote(stack: Stack, user: User) -> None:
    async with stack.http(headers=user.headers) as http:
        answer = await http.get("/api/v1/quotes/M%26M.NS")
        assert answer.status_code == 200, answer.text
        assert answer.json()["symbol"] == "M&M.NS"
        found = await http.get("/api/v1/search", params={"q": "mahindra"})
        assert [each["symbol"] for each in found.json()["candidates"]] == ["M&M.NS"]


async def test_price_in_cents_is_reported_in_dollars(stack: Stack, user: User) -> None:
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
