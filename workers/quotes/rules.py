"""Which symbols are wanted, how long a quote is fresh, how long it may be shown. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.commands import LookUpQuote
from contracts.quotes import MarketState, Quote
from infra.received import Received

FRESH_SECONDS = {"regular": 60.0, "pre": 180.0, "post": 180.0, "closed": 1_800.0}
UNKNOWN_FRESH = timedelta(minutes=15)
SHOWN_AT_MOST = timedelta(hours=24)
SHOWN_OVER_A_WEEKEND = timedelta(hours=96)
JITTER = 0.1
LOOK_UP_AT_MOST = timedelta(seconds=8)

Asker = Received[LookUpQuote]


def wanted(batch: Iterable[Asker], now: datetime) -> dict[str, list[Asker]]:
    """Who asks for each symbol, without the symbols for which nobody waits any more."""
    asked: dict[str, list[Asker]] = {}
    for asker in batch:
        asked.setdefault(asker.data.symbol, []).append(asker)
    return {symbol: askers for symbol, askers in asked.items() if waits_until(askers, now) > now}


def waits_until(askers: Iterable[Asker], now: datetime) -> datetime:
    """When the last of them has gone; who names no deadline waits as long as anybody may."""
    most = now + LOOK_UP_AT_MOST
    return min(most, max(asker.envelope.deadline or most for asker in askers))


@dataclass(frozen=True, slots=True)
class Hours:
    """The trading day that is on, or the next one."""

    pre: datetime
    start: datetime
    end: datetime
    post: datetime

    def state(self, now: datetime) -> MarketState:
        if self.start <= now < self.end:
            return "regular"
        if self.pre <= now < self.start:
            return "pre"
        return "post" if self.end <= now < self.post else "closed"

    def opens_after(self, now: datetime) -> datetime | None:
        """When the market stirs next, if these hours tell."""
        return self.pre if now < self.pre else None


def fresh_until(quote: Quote, hours: Hours | None, now: datetime, jitter: float) -> datetime:
    """A closed market's price lasts until it opens. `jitter` is between -1 and 1.

    Without hours nothing is known of the market: as if it were open.
    """
    seconds = FRESH_SECONDS[quote.market_state if hours else "regular"]
    until = now + timedelta(seconds=seconds * (1 + JITTER * jitter))
    opens = hours.opens_after(now) if hours else None
    return min(until, opens) if opens else until


def may_be_shown(quote: Quote, now: datetime) -> bool:
    """Whether a last good quote is still worth showing while its provider fails."""
    age = now - quote.fetched_at
    return age <= (SHOWN_OVER_A_WEEKEND if _weekend_since(quote.fetched_at, now) else SHOWN_AT_MOST)


def _weekend_since(then: datetime, now: datetime) -> bool:
    days = min((now.date() - then.date()).days, 7)
    return any((then + timedelta(days=n)).weekday() >= 5 for n in range(days + 1))


class Seldom:
    """What was done lately, by key, so that it is not done again so soon. Bounded."""

    def __init__(self, every: timedelta, *, most: int = 10_000) -> None:
        self._every = every
        self._most = most
        self._done: dict[object, datetime] = {}

    def is_due(self, key: object, now: datetime) -> bool:
        done = self._done.get(key)
        return done is None or now - done >= self._every

    def mark(self, key: object, now: datetime) -> None:
        """Done now; the oldest is forgotten when there are too many."""
        self._done.pop(key, None)
        self._done[key] = now
        if len(self._done) > self._most:
            del self._done[next(iter(self._done))]
