"""Invented prices: a random walk that symbol and time determine, computed at any point by itself.

A Brownian bridge is halved until it has reached the point asked for, each half displaced by noise
drawn from a hash. So nothing is stored, two processes agree, and the price of a day long past is as
cheap as today's. Days are bridged in blocks that come back to the listed price: it never runs away.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Final

from devstack.exchange.listings import Listing

_DAILY: Final = 0.012
_BLOCK_LEVELS: Final = 8
_DAY_LEVELS: Final = 12
_SAMPLES: Final = 16
_PART_SAMPLES: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    time: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True, slots=True)
class LastPrice:
    """The newest price of the newest session that has begun."""

    price: float
    time: int
    previous_close: float
    day: Bar


def last_price(listing: Listing, now: float) -> LastPrice:
    today, before = islice(listing.market.sessions_back(now), 2)
    bar = _bar(listing, today, now)
    period = listing.market.period(today)
    time = int(min(now, period.end))
    return LastPrice(bar.close, time, _rounded(close(listing, before)), bar)


def daily_bars(listing: Listing, now: float, sessions: int) -> list[Bar]:
    """Oldest first; the last one is of a session that may still go on."""
    days = list(islice(listing.market.sessions_back(now), sessions))
    return [_bar(listing, day, now) for day in reversed(days)]


def intraday_bars(listing: Listing, day: date, now: float, seconds: int) -> list[Bar]:
    """The bars of one session, each so long, oldest first; the last one may still go on."""
    period = listing.market.period(day)
    length = period.end - period.start
    ends = min(now, period.end)
    bars = []
    for start in range(period.start, max(int(ends), period.start + 1), seconds):
        points = [min(start + seconds * n / _PART_SAMPLES, ends) for n in range(_PART_SAMPLES + 1)]
        prices = [_rounded(at(listing, day, (point - period.start) / length)) for point in points]
        traded = 1 + 0.3 * _noise(f"{listing.symbol}/{start}/volume")
        volume = max(int(1_000_000 * traded * (points[-1] - start) / length), 0)
        bars.append(Bar(start, prices[0], max(prices), min(prices), prices[-1], volume))
    return bars


def rough_bar(listing: Listing, days: Sequence[date], now: float) -> Bar:
    """The bar of several sessions, oldest first, made of their closes."""
    before = close(listing, listing.market.session_before(days[0]))
    closes = [_rounded(price) for price in (before, *(close(listing, day) for day in days))]
    start = listing.market.period(days[0]).start
    if listing.market.period(days[-1]).end > now:
        closes[-1] = last_price(listing, now).price
    traded = 1 + 0.3 * _noise(f"{listing.symbol}/{days[0]}/volume")
    volume = max(int(1_000_000 * len(days) * traded), 0)
    return Bar(start, closes[0], max(closes), min(closes), closes[-1], volume)


def price_before(listing: Listing, now: float, sessions: int) -> float:
    """The close before the last so many sessions."""
    (day,) = islice(listing.market.sessions_back(now), sessions, sessions + 1)
    return _rounded(close(listing, day))


def close(listing: Listing, day: date) -> float:
    return listing.price * math.exp(_DAILY * _daily_walk(listing.symbol, day.toordinal()))


@lru_cache(maxsize=65_536)
def at(listing: Listing, day: date, part: float) -> float:
    """The price when so much of the day's session has passed, from 0 to 1."""
    yesterday = _daily_walk(listing.symbol, listing.market.session_before(day).toordinal())
    today = _daily_walk(listing.symbol, day.toordinal())
    steps = 1 << _DAY_LEVELS
    swing = _bridge(f"{listing.symbol}/{day}", int(part * steps), _DAY_LEVELS) / math.sqrt(steps)
    return listing.price * math.exp(_DAILY * (yesterday + (today - yesterday) * part + swing))


def _bar(listing: Listing, day: date, now: float) -> Bar:
    period = listing.market.period(day)
    passed = min(1.0, (now - period.start) / (period.end - period.start))
    points = [n / _SAMPLES for n in range(_SAMPLES + 1) if n / _SAMPLES < passed] + [passed]
    prices = [_rounded(at(listing, day, point)) for point in points]
    volume = int(passed * (1_000_000 + 300_000 * _noise(f"{listing.symbol}/{day}/volume")))
    return Bar(period.start, prices[0], max(prices), min(prices), prices[-1], max(volume, 0))


@lru_cache(maxsize=65_536)
def _daily_walk(symbol: str, ordinal: int) -> float:
    block, day = divmod(ordinal, 1 << _BLOCK_LEVELS)
    return _bridge(f"{symbol}/{block}", day, _BLOCK_LEVELS)


def _bridge(name: str, index: int, levels: int) -> float:
    """A walk of 2^levels steps of variance 1 that begins and ends at 0, at one of its points."""
    low, high = 0, 1 << levels
    at_low = at_high = 0.0
    while low < index < high:
        middle = (low + high) // 2
        spread = math.sqrt((high - low) / 4)
        at_middle = (at_low + at_high) / 2 + spread * _noise(f"{name}/{low}-{high}")
        if index < middle:
            high, at_high = middle, at_middle
        else:
            low, at_low = middle, at_middle
    return at_low if index == low else at_high


def _noise(name: str) -> float:
    """One draw from the standard normal distribution, the same one for the same name."""
    digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
    radius = ((digest >> 32) + 1) / 2**32
    angle = (digest & 0xFFFFFFFF) / 2**32
    return math.sqrt(-2 * math.log(radius)) * math.cos(2 * math.pi * angle)


def _rounded(price: float) -> float:
    return round(price, 2)
