"""Which sessions a range has, and the bars of an interval: what a chart is made of."""

from collections.abc import Callable, Hashable, Sequence
from datetime import date
from itertools import groupby, islice, takewhile
from typing import Final

from devstack.exchange.listings import Listing
from devstack.exchange.prices import Bar, daily_bars, intraday_bars, rough_bar

_SESSIONS: Final = {
    "1d": 1,
    "5d": 5,
    "1mo": 22,
    "3mo": 65,
    "6mo": 130,
    "1y": 260,
    "2y": 520,
    "5y": 1_300,
}
RANGES: Final = (*_SESSIONS, "ytd", "max")
_LISTED: Final = date(2006, 1, 2)
"""The first session of every listing."""

_PARTS: Final = {"5m": 300, "15m": 900, "30m": 1_800, "60m": 3_600, "1h": 3_600}
_GROUPS: Final[dict[str, Callable[[date], Hashable]]] = {
    "1wk": lambda day: day.isocalendar()[:2],
    "1mo": lambda day: (day.year, day.month),
}
INTERVALS: Final = (*_PARTS, "1d", *_GROUPS)
_MAX_INTRADAY_SESSIONS: Final = 22


def is_refused(range_: str, interval: str) -> bool:
    """Whether a range is too long for bars this short, as on the real one."""
    return interval in _PARTS and _SESSIONS.get(range_, 1_300) > _MAX_INTRADAY_SESSIONS


def sessions_of(listing: Listing, now: float, range_: str) -> list[date]:
    """The sessions of a range, oldest first; the last one may still go on."""
    sessions = listing.market.sessions_back(now)
    if range_ in _SESSIONS:
        found = list(islice(sessions, _SESSIONS[range_]))
    else:
        newest = next(sessions)
        first = date(newest.year, 1, 1) if range_ == "ytd" else _LISTED
        found = [newest, *takewhile(lambda day: day >= first, sessions)]
    return found[::-1]


def bars_of(listing: Listing, now: float, sessions: Sequence[date], interval: str) -> list[Bar]:
    """The bars, oldest first; the last one may still go on."""
    if interval in _PARTS:
        seconds = _PARTS[interval]
        return [bar for day in sessions for bar in intraday_bars(listing, day, now, seconds)]
    if interval in _GROUPS:
        grouped = groupby(sessions, key=_GROUPS[interval])
        return [rough_bar(listing, list(days), now) for _, days in grouped]
    return daily_bars(listing, now, len(sessions))
