from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.resilience.policies import RateLimitedError
from infra.resilience.retry_after import seconds_of
from tests.support.message_builders import NOW
from tests.support.workers.quote_builders import SECONDS, a_chart, an_error
from workers.quotes.chart import read_chart
from workers.quotes.currencies import in_whole_units
from workers.quotes.provider import (
    Answer,
    Found,
    MalformedError,
    NoPrice,
    NotFound,
    UnavailableError,
)
from workers.quotes.replies import Reply


def read(reply: Reply, symbol: str = "AAPL") -> Answer:
    return read_chart(reply, symbol, source="sandbox", now=NOW)


def quote_of(**changed: Any) -> Any:
    answer = read(a_chart(**changed))
    assert isinstance(answer, Found)
    return answer.quote


def test_a_chart_is_a_quote_with_all_that_it_takes_to_judge_it() -> None:
    assert quote_of().model_dump() == {
        "symbol": "AAPL",
        "name": "Apple Inc.",
        "price": "101.25",
        "currency": "USD",
        "quoted_unit": "USD",
        "previous_close": "100.00",
        "change_percent": "1.25",
        "market_state": "regular",
        "as_of": datetime.fromtimestamp(SECONDS - 60, UTC),
        "fetched_at": NOW,
        "delay_minutes": 15,
        "source": "sandbox",
        "stale": False,
        "stale_reason": None,
    }


@pytest.mark.parametrize(
    ("unit", "currency", "price", "previous"),
    [
        ("GBp", "GBP", "0.7234", "0.70"),
        ("ZAc", "ZAR", "0.7234", "0.70"),
        ("ILA", "ILS", "0.7234", "0.70"),
        ("GBP", "GBP", "72.34", "70.00"),
    ],
)
def test_pence_are_hundredths_and_pounds_are_not(
    unit: str, currency: str, price: str, previous: str
) -> None:
    quote = quote_of(currency=unit, regularMarketPrice=72.34, chartPreviousClose=70)
    assert (quote.quoted_unit, quote.currency) == (unit, currency)
    assert (quote.price, quote.previous_close) == (price, previous)
    assert quote.change_percent == "3.34"


@given(st.decimals("0.0001", "999999999", places=4), st.sampled_from(["GBp", "ZAc", "ILA"]))
def test_a_hundred_hundredths_are_one_exactly(price: Decimal, unit: str) -> None:
    whole, currency = in_whole_units(price, unit)
    assert whole * 100 == price
    assert currency not in {"GBp", "ZAc", "ILA"}
    assert in_whole_units(price, currency) == (price, currency)


@given(st.decimals("0.000001", "99999999", places=6))
def test_a_price_goes_out_with_the_digits_it_came_with(price: Decimal) -> None:
    body = a_chart().body.replace(b"101.25", str(price).encode())
    answer = read(Reply(200, body))
    assert isinstance(answer, Found)
    assert Decimal(answer.quote.price) == price
    assert "E" not in answer.quote.price


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "MSFT"},
        {"symbol": ...},
        {"currency": None},
        {"currency": ...},
        {"currency": "DOLLARS"},
        {"regularMarketPrice": 0},
        {"regularMarketPrice": -1.5},
        {"regularMarketPrice": float("nan")},
        {"regularMarketPrice": float("inf")},
        {"regularMarketPrice": float("-inf")},
        {"regularMarketPrice": None},
        {"regularMarketPrice": ...},
        {"regularMarketPrice": "101.25"},
        {"regularMarketPrice": True},
        {"regularMarketPrice": 1e200},
        {"regularMarketTime": None},
        {"regularMarketTime": 10**30},
    ],
    ids=str,
)
def test_a_price_that_may_be_wrong_is_none(wrong: dict[str, Any]) -> None:
    assert isinstance(read(a_chart(**wrong)), NoPrice)


def test_a_price_too_great_to_be_written_down_is_none() -> None:
    for price in (b"1e999999999", b"1e-999999999", b"1" * 40):
        answer = a_chart().body.replace(b"101.25", price)
        assert isinstance(read(Reply(200, answer)), NoPrice)


def test_what_is_not_needed_may_be_missing() -> None:
    quote = quote_of(chartPreviousClose=None, longName=..., currentTradingPeriod=...)
    assert (quote.previous_close, quote.change_percent) == (None, None)
    assert (quote.name, quote.market_state) == ("AAPL", "closed")


@pytest.mark.parametrize("name", ["Apple\0 Inc.", "Apple\ud800 Inc.", " Apple Inc.\n"])
def test_a_name_is_text_that_can_be_kept_and_shown(name: str) -> None:
    assert quote_of(longName=name).name == "Apple Inc."


@pytest.mark.parametrize("name", [7, None, "", "\0", ["Apple"]])
def test_without_a_name_there_is_a_shorter_one_or_the_symbol(name: Any) -> None:
    assert quote_of(longName=name, shortName="Apple").name == "Apple"
    assert quote_of(longName=name, shortName=name).name == "AAPL"


def test_the_delay_is_the_exchanges_own_where_it_says_one() -> None:
    assert quote_of(exchangeDataDelayedBy=0).delay_minutes == 0
    assert quote_of(exchangeDataDelayedBy=-5).delay_minutes == 15


@pytest.mark.parametrize("status", [404, 200])
def test_an_unknown_symbol_is_what_the_body_says(status: int) -> None:
    assert read(an_error(status, "Not Found")) == NotFound()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(429, b"Too Many Requests\r\n"),
        Reply(429, b'{"chart":{"result":null,"error":{"code":"Not Found"}}}'),
        Reply(999, b"Unable to process request at this time"),
        Reply(200, b"Edge: Too Many Requests"),
    ],
    ids=str,
)
def test_anyone_who_is_throttled_is_informed_so_in_many_ways(reply: Reply) -> None:
    with pytest.raises(RateLimitedError):
        read(reply)


@pytest.mark.parametrize(
    "reply",
    [
        an_error(500, "Internal Server Error"),
        Reply(503, b""),
        Reply(200, b"<!doctype html><html>Will be right back</html>"),
        Reply(500, b"<html></html>"),
        Reply(302, b""),
        Reply(404, b"no such page"),
        Reply(502, b"{}"),
        Reply(500, a_chart().body),
    ],
    ids=str,
)
def test_an_exchange_that_is_broken_or_moved_is_unavailable(reply: Reply) -> None:
    with pytest.raises(UnavailableError):
        read(reply)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, a_chart().body[:100]),
        Reply(200, b""),
        Reply(200, b"[]"),
        Reply(200, b"\xff\xfe"),
        Reply(200, b"[" * 100_000),
        Reply(200, b'{"chart": 1}'),
        Reply(200, b'{"chart": {"result": [], "error": null}}'),
        Reply(200, b'{"chart": {"result": [{"meta": null}], "error": null}}'),
        Reply(200, b'{"a": 1e99999999999999999999999}'),
        an_error(422, "Unprocessable Entity"),
    ],
    ids=lambda reply: str(reply)[:60],
)
def test_what_is_not_the_protocol_is_malformed(reply: Reply) -> None:
    with pytest.raises(MalformedError):
        read(reply)


@given(st.binary(max_size=200), st.sampled_from([200, 302, 404, 500]))
def test_no_body_whatever_is_a_price_or_a_crash(body: bytes, status: int) -> None:
    with pytest.raises((MalformedError, UnavailableError, RateLimitedError)):
        read(Reply(status, body))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30),
        ("Tue, 03 Nov 2026 12:10:00 GMT", 600),
        ("Tue, 03 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("Tue, 03 Nov 2026 12:10:00 +99999999999999999999", None),
        ("Tue, 03 Nov 99999999999999999999 12:10:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, NOW) == seconds
