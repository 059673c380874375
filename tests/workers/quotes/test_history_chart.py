"""What is read of a history chart, however it is corrupted."""

import json
from typing import Any

import pytest

from contracts.history import HistoryKey, PriceHistory
from infra.resilience.policies import RateLimitedError
from tests.support.message_builders import NOW
from tests.support.workers.quote_builders import SECONDS, a_meta
from workers.quotes.history_chart import read_history
from workers.quotes.provider import (
    FoundHistory,
    HistoryAnswer,
    MalformedError,
    NoPrice,
    NotFound,
    UnavailableError,
)
from workers.quotes.replies import Reply

KEY = HistoryKey("AAPL", "1d")
DAY = 86_400


def a_result(**changed: Any) -> dict[str, Any]:
    """A chart with three bars; a value of `...` takes the key away."""
    result: dict[str, Any] = {
        "meta": a_meta(),
        "timestamp": [SECONDS - 2 * DAY, SECONDS - DAY, SECONDS],
        "indicators": {
            "quote": [
                {
                    "open": [100.0, None, 101.0],
                    "high": [101.0, None, 102.0],
                    "low": [99.0, None, 100.5],
                    "close": [100.5, None, 101.25],
                    "volume": [1000, None, 0],
                }
            ]
        },
    }
    return {name: value for name, value in (result | changed).items() if value is not ...}


def read(result: Any, *, status: int = 200) -> HistoryAnswer:
    body = json.dumps({"chart": {"result": [result], "error": None}})
    return read_history(Reply(status, body.encode()), KEY, source="sandbox", now=NOW)


def found(**changed: Any) -> PriceHistory:
    answer = read(a_result(**changed))
    assert isinstance(answer, FoundHistory)
    return answer.history


def quote(**columns: Any) -> dict[str, Any]:
    had = a_result()["indicators"]["quote"][0]
    return {"indicators": {"quote": [had | columns]}}


def closes(history: PriceHistory) -> list[str | None]:
    return [point.close for point in history.points]


def test_bars_with_their_holes_are_points() -> None:
    history = found()
    assert closes(history) == ["100.50", None, "101.25"]
    first, hole, last = history.points
    assert (first.open, first.high, first.low, first.volume) == ("100.00", "101.00", "99.00", 1000)
    assert (hole.open, hole.high, hole.low, hole.volume) == (None, None, None, None)
    assert last.volume == 0
    assert (history.previous_close, history.interval) == ("100.00", "5m")


@pytest.mark.parametrize("value", [0, -1.5, "12", True, [], {}, 1e300, 10**40])
def test_close_that_cannot_be_one_is_a_hole(value: Any) -> None:
    assert closes(found(**quote(close=[100.5, value, 101.25]))) == ["100.50", None, "101.25"]


@pytest.mark.parametrize("value", [-1, 1.5, "x", True, 10**30])
def test_volume_that_cannot_be_one_is_left_out(value: Any) -> None:
    assert found(**quote(volume=[value, 1, 1])).points[0].volume is None


@pytest.mark.parametrize("column", ["open", "high", "low", "volume"])
def test_missing_column_is_unknown(column: str) -> None:
    history = found(**quote(**{column: None}))
    assert [getattr(point, column) for point in history.points] == [None] * 3
    assert closes(history) == ["100.50", None, "101.25"]


@pytest.mark.parametrize("times", [..., [], None])
def test_chart_without_times_has_no_points(times: Any) -> None:
    assert found(timestamp=times).points == ()


@pytest.mark.parametrize("time", [None, "now", -5, 1.5, 10**12])
def test_bar_without_a_time_is_left_out(time: Any) -> None:
    assert closes(found(timestamp=[time, SECONDS - DAY, SECONDS])) == [None, "101.25"]


@pytest.mark.parametrize(
    "changed",
    [
        quote(close=[1.0]),
        quote(close="1.0"),
        {"indicators": {"quote": []}},
        {"indicators": ...},
        {"timestamp": "now"},
        {"timestamp": {"0": 1}},
        {"meta": ...},
    ],
)
def test_chart_of_another_shape_is_malformed(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        read(a_result(**changed))


@pytest.mark.parametrize("meta", [{"symbol": "MSFT"}, {"currency": None}, {"currency": "QQQ"}])
def test_chart_that_cannot_be_judged_has_no_price(meta: dict[str, Any]) -> None:
    assert isinstance(read(a_result(meta=a_meta(**meta))), NoPrice)


def test_previous_close_before_an_adjusted_split_is_unknown() -> None:
    events = {"splits": {"1": {"date": SECONDS, "numerator": 2, "denominator": 1}}}
    history = found(events=events, **quote(close=[202.0, 201.0, 101.0]))
    assert closes(history) == ["101.00", "100.50", "101.00"]
    assert history.previous_close is None


@pytest.mark.parametrize("splits", [None, [], {"1": None}, {"1": {"date": 1, "numerator": 0}}])
def test_split_that_cannot_be_one_changes_nothing(splits: Any) -> None:
    assert closes(found(events={"splits": splits})) == ["100.50", None, "101.25"]


def test_replies_without_a_chart_are_distinguished() -> None:
    error = {"chart": {"result": None, "error": {"code": "Not Found", "description": "x"}}}
    reply = Reply(404, json.dumps(error).encode())
    assert read_history(reply, KEY, source="sandbox", now=NOW) == NotFound()
    for status, body, expected in (
        (429, b"Too Many Requests", RateLimitedError),
        (200, b"<html>", UnavailableError),
        (200, b"{", MalformedError),
        (200, b"[]", MalformedError),
        (503, b"{}", UnavailableError),
    ):
        with pytest.raises(expected):
            read_history(Reply(status, body), KEY, source="sandbox", now=NOW)
