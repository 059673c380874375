"""Which bars of a history are believed, and what becomes of a split."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.history import MAX_POINTS, HistoryKey
from workers.quotes.history_bars import Bar, Split, adjusted, believed, points_of

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
KEY = HistoryKey("SAP.DE", "1mo")


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def bars(*closes: str | None) -> list[Bar]:
    """Bars with these closes, a day apart."""
    return [Bar(at(n), close=None if c is None else Decimal(c)) for n, c in enumerate(closes)]


def closes(found: list[Bar]) -> list[str | None]:
    return [None if bar.close is None else f"{bar.close:f}" for bar in found]


def test_bars_before_an_unadjusted_split_are_divided() -> None:
    split = Split(at(2), Decimal(10))
    found = adjusted(bars("1000", None, "101", "99"), [split])
    assert closes(found) == ["100", None, "101", "99"]


def test_bars_that_the_provider_adjusted_stay() -> None:
    reported = bars("100", "101", "102", "99")
    assert adjusted(reported, [Split(at(2), Decimal(10))]) == reported


def test_reverse_split_multiplies_the_bars_before_it() -> None:
    found = adjusted(bars("2", "2.1", "20.4"), [Split(at(2), Decimal("0.1"))])
    assert closes(found) == ["20", "21", "20.4"]


def test_volume_before_a_split_is_in_shares_of_today() -> None:
    reported = [
        Bar(at(0), close=Decimal(200), volume=50),
        Bar(at(1), close=Decimal(100), volume=90),
    ]
    assert [bar.volume for bar in adjusted(reported, [Split(at(1), Decimal(2))])] == [100, 90]


@pytest.mark.parametrize("ratio", ["1.1", "0.9"])
def test_split_with_a_ratio_near_one_is_left_to_the_provider(ratio: str) -> None:
    reported = bars("110", "100")
    assert adjusted(reported, [Split(at(1), Decimal(ratio))]) == reported


def test_split_before_or_after_all_bars_changes_nothing() -> None:
    reported = bars("100", "101")
    splits = [Split(at(-5), Decimal(10)), Split(at(9), Decimal(10))]
    assert adjusted(reported, splits) == reported


def test_close_in_another_unit_is_a_hole() -> None:
    assert closes(believed(bars("2.10", "2.11", "212", "2.13"))) == ["2.10", "2.11", None, "2.13"]
    assert closes(believed(bars("210", "2.11", "212"))) == ["210", None, "212"]


def test_price_that_fell_for_good_is_believed() -> None:
    assert closes(believed(bars("200", "201", "2", "2.1"))) == ["200", "201", "2", "2.1"]


def test_bars_of_the_same_time_become_the_later_one() -> None:
    twice = [*bars("1", "2"), Bar(at(1), close=Decimal(3)), Bar(at(0), close=Decimal(9))]
    assert closes(believed(twice)) == ["1", "3"]


def test_high_below_low_is_left_out() -> None:
    [bar] = believed([Bar(at(0), high=Decimal(1), low=Decimal(2), close=Decimal("1.5"))])
    assert (bar.high, bar.low, bar.close) == (None, None, Decimal("1.5"))


def test_points_are_in_whole_units_and_holes_stay_holes() -> None:
    points = points_of(bars("72.5", None), KEY, "GBp")
    assert [point.close for point in points] == ["0.725", None]


def test_points_of_a_sparkline_have_closes_only() -> None:
    bar = Bar(at(0), open=Decimal(1), high=Decimal(2), low=Decimal(1), close=Decimal(2), volume=7)
    [point] = points_of([bar], HistoryKey("SAP.DE", "1d", "closes"), "EUR")
    assert (point.open, point.high, point.low, point.volume) == (None, None, None, None)
    assert point.close == "2.00"


def test_more_points_than_allowed_are_cut_to_the_newest() -> None:
    points = points_of([Bar(at(n)) for n in range(MAX_POINTS + 5)], KEY, "EUR")
    assert (len(points), points[0].time) == (MAX_POINTS, at(5))


PRICES = st.decimals("0.0001", 10**6, places=4).map(Decimal.normalize)


@given(st.lists(st.none() | PRICES, max_size=30), st.decimals("0.01", 100, places=2))
def test_adjusting_keeps_times_order_and_holes(
    reported: list[Decimal | None], ratio: Decimal
) -> None:
    given_bars = [Bar(at(n), close=close) for n, close in enumerate(reported)]
    found = adjusted(believed(given_bars), [Split(at(7), ratio)])
    assert [bar.time for bar in found] == [bar.time for bar in given_bars]
    assert all(
        bar.close is None for bar, close in zip(found, reported, strict=True) if close is None
    )
    assert all(bar.close > 0 for bar in found if bar.close is not None)
