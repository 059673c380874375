"""Histories of the second provider, as its documentation shows them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.history import HistoryKey, HistoryRange
from workers.quotes.provider import FoundHistory, HistoryAnswer, NoPrice, NotFound
from workers.quotes.twelvedata_series import read_series, series_query

NOW = datetime(2026, 11, 3, 16, tzinfo=UTC)
KEY = HistoryKey("VOD.L", "1d")


def a_value(time: str, close: str = "72.5", **changed: Any) -> dict[str, Any]:
    prices = {"open": "72.0", "high": "73.0", "low": "71.5", "close": close, "volume": "1200"}
    return {"datetime": time} | prices | changed


def an_answer(*values: Any, **meta: Any) -> dict[str, Any]:
    had = {"symbol": "VOD", "currency": "GBp", "exchange_timezone": "Europe/London"}
    return {"meta": had | meta, "values": list(values), "status": "ok"}


def read(answer: dict[str, Any], key: HistoryKey = KEY) -> HistoryAnswer:
    return read_series(answer, key, source="twelvedata", now=NOW)


def test_points_are_in_pounds_and_in_utc() -> None:
    found = read(an_answer(a_value("2026-11-03 08:00:00")))
    assert isinstance(found, FoundHistory)
    history = found.history
    assert (history.currency, history.quoted_unit, history.source) == ("GBP", "GBp", "twelvedata")
    [point] = history.points
    assert point.time == datetime(2026, 11, 3, 8, tzinfo=UTC)
    assert (point.open, point.close, point.volume) == ("0.720", "0.725", 1200)


def test_one_day_is_the_newest_session() -> None:
    values = [a_value(f"2026-11-0{day} 08:00:00", str(day)) for day in (1, 2, 3)]
    found = read(an_answer(*values))
    assert isinstance(found, FoundHistory)
    assert [point.close for point in found.history.points] == ["0.03"]
    five = read(an_answer(*values), HistoryKey("VOD.L", "5d"))
    assert isinstance(five, FoundHistory)
    assert len(five.history.points) == 3


@pytest.mark.parametrize("value", [None, {}, {"datetime": 5}, {"datetime": "yesterday"}])
def test_value_without_a_time_is_left_out(value: Any) -> None:
    found = read(an_answer(value))
    assert isinstance(found, FoundHistory)
    assert found.history.points == ()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "error", "code": 400},
        {"meta": {}, "values": {}},
        an_answer(symbol="MSFT"),
        an_answer(currency="QQQ"),
        an_answer(exchange_timezone="Nowhere/Land"),
        an_answer(exchange_timezone=None),
        an_answer(exchange_timezone=""),
    ],
)
def test_answer_that_cannot_be_judged_has_no_price(answer: dict[str, Any]) -> None:
    assert isinstance(read(answer), NoPrice)


def test_unknown_symbol_is_not_found() -> None:
    assert read({"status": "error", "code": 404}) == NotFound()


@pytest.mark.parametrize(
    ("range_", "interval", "start"),
    [
        ("1d", "5min", "2026-10-27"),
        ("ytd", "1day", "2026-01-01"),
        ("1y", "1day", "2025-11-02"),
        ("max", "1month", "1926-11-03"),
    ],
)
def test_query_names_interval_and_start(range_: HistoryRange, interval: str, start: str) -> None:
    query = series_query("VOD:LSE", HistoryKey("VOD.L", range_), NOW)
    assert (query["symbol"], query["interval"]) == ("VOD:LSE", interval)
    assert query["start_date"] == start
