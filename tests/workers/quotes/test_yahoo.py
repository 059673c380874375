"""The adapter against the sandbox exchange, with its faults."""

from decimal import Decimal
from typing import Any

import pytest

from infra.resilience.policies import RateLimitedError
from infra.runtime.http_server import http_server
from tests.support.devstack.exchange_client import MONDAY_NOON_IN_BERLIN, Client
from workers.quotes.http_client import MAX_BODY_BYTES
from workers.quotes.provider import (
    Answer,
    Found,
    LeftOut,
    MalformedError,
    NoPrice,
    NotFound,
    TimedOutError,
    UnavailableError,
)
from workers.quotes.yahoo import Yahoo, open_yahoo


async def quote_of(yahoo: Yahoo, symbol: str) -> Answer:
    """What it says when it is asked for one symbol."""
    return (await yahoo.quotes([symbol]))[symbol]


async def test_a_quote_is_what_the_exchange_says(exchange: Client, yahoo: Yahoo) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    found = await quote_of(yahoo, "SAP.DE")
    assert isinstance(found, Found)
    meta = (await exchange.chart("SAP.DE", range="1d", interval="1d"))["meta"]
    quote = found.quote
    assert Decimal(quote.price) == meta["regularMarketPrice"]
    assert Decimal(quote.previous_close or 0) == meta["chartPreviousClose"]
    assert (quote.currency, quote.quoted_unit, quote.source) == ("EUR", "EUR", "sandbox")
    assert quote.as_of.timestamp() == meta["regularMarketTime"]
    assert found.hours


async def test_pence_become_pounds_exactly(exchange: Client, yahoo: Yahoo) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    found = await quote_of(yahoo, "VOD.L")
    assert isinstance(found, Found)
    assert (found.quote.currency, found.quote.quoted_unit) == ("GBP", "GBp")
    assert Decimal(found.quote.price) * 100 == await exchange.price("VOD.L")


async def test_it_says_who_it_is_and_asks_for_one_day(exchange: Client, yahoo: Yahoo) -> None:
    await quote_of(yahoo, "AAPL")
    (request,) = (await exchange.log())["requests"]
    assert request["user_agent"] == "Mozilla/5.0 (compatible; qnt9/0.1)"
    assert request["path"] == "/v8/finance/chart/AAPL"
    assert request["query"] == "range=1d&interval=1d"


@pytest.mark.parametrize("symbol", ["NOPE", "^NOPE", "A=B", "A-B.C"])
async def test_a_symbol_the_exchange_has_not_is_not_found(
    exchange: Client, yahoo: Yahoo, symbol: str
) -> None:
    assert await quote_of(yahoo, symbol) == NotFound()
    (request,) = (await exchange.log())["requests"]
    assert request["symbols"] == [symbol]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, UnavailableError),
        ({"kind": "status", "status": 503}, UnavailableError),
        ({"kind": "status", "status": 422}, MalformedError),
        ({"kind": "reset"}, UnavailableError),
        ({"kind": "html"}, UnavailableError),
        ({"kind": "html", "status": 500}, UnavailableError),
        ({"kind": "redirect_consent"}, UnavailableError),
        ({"kind": "slow_headers", "seconds": 2}, TimedOutError),
        ({"kind": "slow_body", "seconds": 2}, TimedOutError),
        ({"kind": "truncated"}, MalformedError),
        ({"kind": "rate_limited"}, RateLimitedError),
        ({"kind": "rate_limited", "status": 999}, RateLimitedError),
    ],
    ids=str,
)
async def test_each_way_to_fail_has_its_name(
    exchange: Client, yahoo: Yahoo, fault: dict[str, Any], error: type[Exception]
) -> None:
    await exchange.fault("AAPL", fault)
    with pytest.raises(error):
        await quote_of(yahoo, "AAPL")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "null_currency"},
        {"kind": "other_symbol", "value": "MSFT"},
        *({"kind": "price", "value": value} for value in (0, -1, None, "NaN", "Infinity", "n/a")),
    ],
    ids=str,
)
async def test_what_may_be_a_wrong_price_is_none(
    exchange: Client, yahoo: Yahoo, fault: dict[str, Any]
) -> None:
    await exchange.fault("AAPL", fault)
    assert isinstance(await quote_of(yahoo, "AAPL"), NoPrice)


@pytest.mark.parametrize("kind", ["null_holes", "no_timestamp"])
async def test_a_price_needs_no_bars(exchange: Client, yahoo: Yahoo, kind: str) -> None:
    await exchange.fault("AAPL", {"kind": kind})
    assert isinstance(await quote_of(yahoo, "AAPL"), Found)


async def test_how_long_to_stop_is_read_where_it_is_said(exchange: Client, yahoo: Yahoo) -> None:
    await exchange.fault("AAPL", {"kind": "rate_limited", "retry_after": 900})
    with pytest.raises(RateLimitedError) as error:
        await quote_of(yahoo, "AAPL")
    assert error.value.retry_after == 900


async def test_a_body_that_does_not_end_is_cut_off() -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(4 * MAX_BODY_BYTES // 65_536):
            body = {"type": "http.response.body", "body": b" " * 65_536, "more_body": True}
            await send(body)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with http_server(endless, "127.0.0.1", 0) as url, open_yahoo(url, name="sandbox") as it:
        with pytest.raises(MalformedError):
            await quote_of(it, "AAPL")


async def test_an_exchange_that_is_not_there_is_unavailable() -> None:
    async with open_yahoo("http://127.0.0.1:1", name="sandbox") as yahoo:
        with pytest.raises(UnavailableError):
            await quote_of(yahoo, "AAPL")


async def test_several_symbols_are_one_call_and_each_has_an_answer_of_its_own(
    exchange: Client, yahoo: Yahoo
) -> None:
    await exchange.fault("VOD.L", {"kind": "null_currency"})
    await exchange.fault("MSFT", {"kind": "other_symbol"})
    answers = await yahoo.quotes(["AAPL", "NOPE", "VOD.L", "MSFT", "SIE.DE"])
    assert {symbol: type(answer) for symbol, answer in answers.items()} == {
        "AAPL": Found,
        "NOPE": LeftOut,
        "VOD.L": NoPrice,
        "MSFT": LeftOut,
        "SIE.DE": Found,
    }
    (request,) = (await exchange.log())["requests"]
    assert request["path"] == "/v7/finance/spark"


async def test_splits_are_given_the_time_they_are_asked_for(exchange: Client, yahoo: Yahoo) -> None:
    assert not await yahoo.splits("AAPL")
    await exchange.fault("AAPL", {"kind": "split", "numerator": 60})
    assert list(await yahoo.splits("AAPL")) == [Decimal(60)]
    assert isinstance(await quote_of(yahoo, "AAPL"), Found)


async def test_a_search_has_rows_with_symbols_alone(exchange: Client, yahoo: Yahoo) -> None:
    (hit,) = await yahoo.search("DE0007164600")
    assert (hit.symbol, hit.name, hit.exchange, hit.type) == ("SAP.DE", "SAP SE", "XETRA", "equity")
    assert await yahoo.search("nothing at all") == []
    assert all(hit.symbol for hit in await yahoo.search("bosch"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, UnavailableError),
        ({"kind": "status", "status": 422}, MalformedError),
        ({"kind": "html"}, UnavailableError),
        ({"kind": "truncated"}, MalformedError),
        ({"kind": "rate_limited"}, RateLimitedError),
        ({"kind": "redirect_consent"}, UnavailableError),
    ],
    ids=str,
)
async def test_spark_and_search_fail_as_a_chart_does(
    exchange: Client, yahoo: Yahoo, fault: dict[str, Any], error: type[Exception]
) -> None:
    await exchange.fault("*", fault)
    with pytest.raises(error):
        await yahoo.quotes(["AAPL", "MSFT"])
    with pytest.raises(error):
        await yahoo.search("apple")
