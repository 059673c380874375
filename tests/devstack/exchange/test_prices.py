from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from devstack.exchange.listings import Listing, load_listings
from devstack.exchange.markets import MARKETS
from devstack.exchange.prices import at, close, daily_bars, last_price

LISTINGS = load_listings()
SAP = next(x for x in LISTINGS if x.symbol == "SAP.DE")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_prices_move_during_the_session_and_rest_outside_it() -> None:
    noon = seconds("2026-03-02T12:00:00+01:00")
    session = {last_price(SAP, noon + minute * 60).price for minute in range(60)}
    assert len(session) > 10
    evening = last_price(SAP, seconds("2026-03-02T20:00:00+01:00"))
    assert evening == last_price(SAP, seconds("2026-03-03T08:59:59+01:00"))
    assert evening.time == seconds("2026-03-02T17:30:00+01:00")
    assert evening.price == round(close(SAP, date(2026, 3, 2)), 2)
    friday = last_price(SAP, seconds("2026-03-06T18:00:00+01:00"))
    assert friday == last_price(SAP, seconds("2026-03-08T12:00:00+01:00"))


def test_a_session_begins_where_the_last_one_ended() -> None:
    assert at(SAP, date(2026, 3, 2), 0.0) == close(SAP, date(2026, 2, 27))
    assert at(SAP, date(2026, 3, 2), 1.0) == close(SAP, date(2026, 3, 2))


@given(st.sampled_from(list(LISTINGS)), st.floats(947_000_000, 4_100_000_000))
def test_a_price_stays_near_the_listed_one_and_within_its_day(listing: Listing, now: float) -> None:
    last = last_price(listing, now)
    assert listing.price / 2.5 < last.price < listing.price * 2.5
    assert last.day.low <= last.price <= last.day.high
    assert 0.85 < last.price / last.previous_close < 1.15


def test_the_opening_price_of_a_day_stays_as_its_volume_grows() -> None:
    start = seconds("2026-03-02T09:00:00+01:00")
    bars = [daily_bars(SAP, start + 3600 * hour, 1)[0] for hour in range(9)]
    assert {bar.open for bar in bars} == {bars[0].open}
    assert [bar.volume for bar in bars] == sorted({bar.volume for bar in bars})


def test_bars_are_one_for_each_trading_day() -> None:
    bars = daily_bars(SAP, seconds("2026-01-05T12:00:00+01:00"), 4)
    days = [datetime.fromtimestamp(bar.time, UTC).date() for bar in bars]
    assert [f"{day:%b %d}" for day in days] == ["Dec 30", "Dec 31", "Jan 02", "Jan 05"]


def test_sessions_follow_local_summer_time() -> None:
    winter = MARKETS["NMS"].period(date(2026, 3, 6))
    summer = MARKETS["NMS"].period(date(2026, 3, 9))
    assert (winter.offset, summer.offset) == (-18_000, -14_400)
    assert summer.start - winter.start == timedelta(days=3, hours=-1).total_seconds()


def test_when_there_is_no_trading_the_period_is_the_next_one() -> None:
    saturday = seconds("2026-03-07T12:00:00+01:00")
    assert MARKETS["GER"].current_period(saturday) == MARKETS["GER"].period(date(2026, 3, 9))
