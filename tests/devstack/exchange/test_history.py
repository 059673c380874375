"""Charts over a time: ranges, intervals, and what is refused."""

from itertools import pairwise

import pytest

from tests.support.devstack.exchange_client import MONDAY_NOON_IN_BERLIN, Client


async def test_bars_of_an_interval_are_as_far_apart_as_it_says(exchange: Client) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    day = await exchange.chart("SAP.DE", range="1d", interval="5m")
    times = day["timestamp"]
    assert {b - a for a, b in pairwise(times[:-1])} == {300}
    assert times[-1] == day["meta"]["regularMarketTime"]
    closes = day["indicators"]["quote"][0]["close"]
    assert closes[-1] == day["meta"]["regularMarketPrice"]


async def test_same_clock_gives_the_same_bars(exchange: Client) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    asked = [await exchange.chart("AAPL", range="5y", interval="1wk") for _ in range(2)]
    assert asked[0] == asked[1]


async def test_past_split_is_reported_within_its_range_only(exchange: Client) -> None:
    await exchange.clock(MONDAY_NOON_IN_BERLIN)
    five = await exchange.chart("NVDA", range="5y", interval="1wk", events="split")
    [split] = five["events"]["splits"].values()
    assert (split["numerator"], split["denominator"]) == (10, 1)
    one = await exchange.chart("NVDA", range="1y", interval="1d", events="split")
    assert "events" not in one


async def test_year_to_date_begins_with_the_year(exchange: Client) -> None:
    await exchange.clock("2026-01-05T12:00:00+01:00")
    found = await exchange.chart("SAP.DE", range="ytd", interval="1d")
    assert len(found["timestamp"]) == 2  # January 2 and 5


@pytest.mark.parametrize(("range_", "interval"), [("1y", "5m"), ("max", "1h"), ("1d", "7m")])
async def test_interval_that_does_not_fit_is_refused(
    exchange: Client, range_: str, interval: str
) -> None:
    bad = await exchange.get("/v8/finance/chart/AAPL", range=range_, interval=interval)
    assert bad.status_code == 422
