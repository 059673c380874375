from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import LookUpQuote
from contracts.quotes import may_be_displayed
from tests.support.message_builders import NOW, received
from tests.support.workers.quote_builders import a_quote
from workers.quotes.rules import (
    Asker,
    Hit,
    Hits,
    Hours,
    Throttle,
    as_candidates,
    fresh_until,
    held_until,
    is_explained,
    price_jump,
    waits_until,
    wanted,
)

HOURS = Hours(*(datetime(2026, 11, 3, hour, tzinfo=UTC) for hour in (9, 14, 21, 23)))
A_SECOND = timedelta(seconds=1)


def asker(symbol: str = "AAPL", *, seconds: float | None = 8) -> Asker:
    deadline = None if seconds is None else NOW + timedelta(seconds=seconds)
    return received(LookUpQuote(symbol=symbol), deadline=deadline)


def test_symbols_are_grouped_and_those_no_one_waits_for_are_left_out() -> None:
    first, late, other = asker(), asker(seconds=-1), asker("MSFT", seconds=-1)
    assert wanted([first, late, other], NOW) == {"AAPL": [first, late]}


def test_the_last_to_go_counts_and_no_one_waits_for_ever() -> None:
    assert waits_until([asker(seconds=2), asker(seconds=5)], NOW) == NOW + 5 * A_SECOND
    assert waits_until([asker(seconds=None)], NOW) == NOW + 8 * A_SECOND
    assert waits_until([asker(seconds=60)], NOW) == NOW + 8 * A_SECOND


@pytest.mark.parametrize(
    ("hour", "state"),
    [(8, "closed"), (9, "pre"), (13, "pre"), (14, "regular"), (20, "regular"), (21, "post")],
)
def test_the_state_of_the_market_follows_from_its_hours(hour: int, state: str) -> None:
    assert HOURS.state(datetime(2026, 11, 3, hour, tzinfo=UTC)) == state


def test_after_the_last_hour_the_market_is_closed() -> None:
    assert HOURS.state(HOURS.post) == "closed"
    assert HOURS.state(HOURS.post - A_SECOND) == "post"


@pytest.mark.parametrize(
    ("state", "seconds"), [("regular", 60), ("pre", 180), ("post", 180), ("closed", 1_800)]
)
def test_a_quote_is_fresh_as_long_as_its_market_is_calm(state: str, seconds: int) -> None:
    now = HOURS.post
    quote = a_quote(market_state=state)
    assert fresh_until(quote, HOURS, now, 0) == now + seconds * A_SECOND
    assert fresh_until(quote, HOURS, now, 1) == now + 1.1 * seconds * A_SECOND


def test_a_closed_markets_quote_goes_stale_when_it_opens() -> None:
    now = HOURS.pre - 10 * A_SECOND
    assert fresh_until(a_quote(market_state="closed"), HOURS, now, 1) == HOURS.pre


def test_without_hours_a_market_may_be_open() -> None:
    assert fresh_until(a_quote(market_state="closed"), None, NOW, 0) == NOW + 60 * A_SECOND


@pytest.mark.parametrize(
    ("fetched", "hours", "displayed"),
    [
        ("2026-11-03", 24, True),  # Tuesday to Wednesday
        ("2026-11-03", 25, False),
        ("2026-11-06", 72, True),  # Friday to Monday
        ("2026-11-06", 96, True),
        ("2026-11-06", 97, False),
    ],
)
def test_a_last_good_quote_is_shown_a_day_long_or_over_a_weekend(
    fetched: str, hours: int, displayed: bool
) -> None:
    then = datetime.fromisoformat(f"{fetched}T12:00:00+00:00")
    assert may_be_displayed(a_quote(fetched_at=then), then + timedelta(hours=hours)) is displayed


@given(st.lists(st.integers(0, 30), max_size=60))
def test_what_is_seldom_is_due_once_in_its_time_and_bounded(seconds: list[int]) -> None:
    throttle, done, now = Throttle(10 * A_SECOND, most=3), [], NOW
    for step in seconds:
        now += step * A_SECOND
        if throttle.is_due("AAPL", now):
            throttle.mark("AAPL", now)
            done.append(now)
    assert all(after - before >= 10 * A_SECOND for before, after in pairwise(done))


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    throttle = Throttle(10 * A_SECOND, most=2)
    for symbol in ("A", "B", "C"):
        throttle.mark(symbol, NOW)
    assert [throttle.is_due(symbol, NOW) for symbol in ("A", "B", "C")] == [True, False, False]


def test_pence_taken_for_pounds_jump_and_the_same_price_in_another_unit_does_not() -> None:
    pence = a_quote("VOD.L", price="2.604", currency="GBP", quoted_unit="GBp")
    assert price_jump(pence, a_quote("VOD.L", price="260.4", currency="GBP")) == 100
    assert price_jump(a_quote("VOD.L", price="260.4", currency="GBP"), pence) == Decimal("0.01")
    assert price_jump(pence, a_quote("VOD.L", price="2.604", currency="GBP")) is None


@pytest.mark.parametrize(
    ("price", "is_jump"),
    [("50.00", True), ("49.99", False), ("0.02", True), ("0.0201", False), ("1.00", False)],
)
def test_fifty_times_is_hard_to_believe(price: str, is_jump: bool) -> None:
    assert (price_jump(a_quote(price="1.00"), a_quote(price=price)) is not None) is is_jump


def test_a_price_of_long_ago_is_no_measure() -> None:
    old = a_quote(price="1.00", fetched_at=datetime.now(UTC) - timedelta(days=8))
    assert price_jump(old, a_quote(price="100.00")) is None


@pytest.mark.parametrize(
    ("times", "splits", "explained"),
    [
        ("0.0167", [60], True),
        ("0.02", [60], True),
        ("0.01", [], False),
        ("100", [60], False),
        ("0.01", [2], False),
        ("100", ["0.01"], True),
    ],
)
def test_a_split_explains_a_jump_of_its_own_size(
    times: str, splits: list[Any], explained: bool
) -> None:
    assert is_explained(Decimal(times), map(Decimal, splits)) is explained


def test_a_symbol_is_asked_for_again_soon_and_after_an_opening() -> None:
    assert held_until("timeout", None, NOW) == NOW + 2 * A_SECOND
    assert held_until("circuit_open", NOW + 3 * A_SECOND, NOW) == NOW + 3 * A_SECOND
    assert held_until("rate_limited", NOW + 300 * A_SECOND, NOW) == NOW + 5 * A_SECOND
    assert held_until("circuit_open", None, NOW) == NOW


def a_hit(symbol: str, score: float = 1.0) -> Hit:
    return Hit(symbol, symbol.title(), "XETRA", "equity", score)


def test_the_very_symbol_comes_first_then_numbers_then_names() -> None:
    named = [a_hit("APPLE.X", 9), a_hit("AAPL", 5), a_hit("AAPL.MX", 7), a_hit("PIE", 8)]
    found = as_candidates("AAPL", Hits(by_text=named))
    assert [(each.symbol, each.match) for each in found] == [
        ("AAPL", "symbol"),
        ("AAPL.MX", "symbol"),
        ("APPLE.X", "name"),
        ("PIE", "name"),
    ]


def test_a_wkn_is_an_isin_only_where_a_listing_has_it() -> None:
    hits = Hits(by_isin=[a_hit("SAP.DE")], isin="DE0007164600", by_wkn=[a_hit("OTHER")])
    found = as_candidates("716460", hits)
    assert [(each.symbol, each.match, each.isin) for each in found] == [
        ("SAP.DE", "wkn", "DE0007164600"),
        ("OTHER", "wkn", None),
    ]


def test_each_symbol_is_a_candidate_once_and_what_is_no_symbol_is_none() -> None:
    hits = Hits(by_text=[a_hit("SAP.DE"), a_hit("SAP.DE"), a_hit("NO SYMBOL")])
    assert [each.symbol for each in as_candidates("SAP", hits)] == ["SAP.DE"]
