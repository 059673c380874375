"""The adapter against a stand-in that answers as the documentation says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from infra.resilience.policies import RateLimitedError
from tests.support.workers.twelvedata_server import KEY, StandIn, a_row, an_error, running_stand_in
from workers.quotes.http_client import Timeouts
from workers.quotes.provider import (
    Found,
    MalformedError,
    NoPrice,
    NotFound,
    TimedOutError,
    UnavailableError,
)
from workers.quotes.twelvedata import TwelveData, name_at, open_twelvedata


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with running_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
async def provider(stand_in: StandIn) -> AsyncIterator[TwelveData]:
    timeouts = Timeouts(read_seconds=0.5)
    async with open_twelvedata(stand_in.url, KEY, timeouts=timeouts) as it:
        yield it


async def test_a_quote_says_where_it_is_from(stand_in: StandIn, provider: TwelveData) -> None:
    stand_in.rows["AAPL"] = a_row()
    found = (await provider.quotes(["AAPL"]))["AAPL"]
    assert isinstance(found, Found)
    quote = found.quote
    assert (quote.symbol, quote.price, quote.currency) == ("AAPL", "101.25000", "USD")
    assert (quote.previous_close, quote.change_percent) == ("100.00000", "1.25")
    assert (quote.market_state, quote.source) == ("regular", "twelvedata")
    assert quote.as_of.timestamp() == 1_793_707_200


async def test_several_are_one_call_and_pence_become_pounds(
    stand_in: StandIn, provider: TwelveData
) -> None:
    stand_in.rows = {
        "AAPL": a_row(),
        "VOD:LSE": a_row("VOD", currency="GBp", close="260.4", previous_close=...),
    }
    answers = await provider.quotes(["AAPL", "VOD.L", "NOPE", "^GSPC"])
    assert stand_in.asked == [["AAPL", "VOD:LSE", "NOPE"]]
    vodafone = answers["VOD.L"]
    assert isinstance(vodafone, Found)
    assert (vodafone.quote.price, vodafone.quote.currency) == ("2.604", "GBP")
    assert isinstance(answers["AAPL"], Found)
    assert answers["NOPE"] == NotFound()
    assert isinstance(answers["^GSPC"], NoPrice)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("AAPL", "AAPL"),
        ("SAP.DE", "SAP:XETR"),
        ("BRK-B", "BRK-B"),
        ("^GSPC", None),
        ("EURUSD=X", None),
        ("SAP.XX", None),
    ],
)
def test_how_symbols_are_written_here(symbol: str, name: str | None) -> None:
    assert name_at(symbol) == name


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "MSFT"},
        {"currency": None},
        {"close": "0"},
        {"close": "-1"},
        {"close": "NaN"},
        {"close": None},
        {"close": "1e5"},
        {"timestamp": None, "last_quote_at": ...},
    ],
    ids=str,
)
async def test_a_price_that_may_be_wrong_is_none(
    stand_in: StandIn, provider: TwelveData, wrong: dict[str, Any]
) -> None:
    stand_in.rows["AAPL"] = a_row() | {k: v for k, v in wrong.items() if v is not ...}
    if wrong.get("last_quote_at") is ...:
        del stand_in.rows["AAPL"]["last_quote_at"]
    assert isinstance((await provider.quotes(["AAPL"]))["AAPL"], NoPrice)


async def test_an_unknown_symbol_is_not_found(provider: TwelveData) -> None:
    assert await provider.quotes(["NOPE"]) == {"NOPE": NotFound()}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (JSONResponse(an_error(429), 429), RateLimitedError),
        (JSONResponse(an_error(429)), RateLimitedError),
        (JSONResponse(an_error(500)), UnavailableError),
        (JSONResponse(an_error(401), 401), MalformedError),
        (PlainTextResponse("<html>", 502), UnavailableError),
        (RedirectResponse("https://example.com"), UnavailableError),
        (Response(b'{"symbol":'), MalformedError),
        (Response(b"[]"), MalformedError),
    ],
)
async def test_what_is_said_of_the_whole_call(
    stand_in: StandIn, provider: TwelveData, reply: Response, error: type[Exception]
) -> None:
    stand_in.reply = reply
    with pytest.raises(error) as raised:
        await provider.quotes(["AAPL", "SAP.DE"])
    assert KEY not in str(raised.value)


async def test_no_one_there_is_unavailable() -> None:
    async with open_twelvedata("http://127.0.0.1:1", KEY) as provider:
        with pytest.raises(UnavailableError) as raised:
            await provider.quotes(["AAPL"])
    assert not isinstance(raised.value, TimedOutError)


async def test_of_splits_it_is_not_asked(provider: TwelveData) -> None:
    assert not await provider.splits("AAPL")
