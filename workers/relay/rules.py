"""Pure decisions: which shards a relay wants, which rows go where and which wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.kafka.producer import Outgoing
from infra.observability.tracing import TRACING, Traced

SHARDS = range(8)
"""As the column `shard` of the outbox counts them."""
UNOWNED_SECONDS = 5.0
"""Longer than it takes to hand a shard over; after it a shard without an owner is a problem."""
LAG_SECONDS = 10.0
"""An unpublished event that waits for longer is a problem."""


@dataclass(frozen=True, slots=True)
class Row:
    """One unpublished event."""

    seq: int
    created_at: datetime
    topic: str
    record: Outgoing

    @property
    def key(self) -> str:
        """The key of its record: the id of its aggregate."""
        return self.record.key.decode()


def traced(rows: Iterable[Row]) -> list[Traced]:
    """The events of rows, as their traces have them; none while nothing is recorded."""
    if not TRACING.recorder:
        return []
    found = []
    for row in rows:
        headers = dict(row.record.headers)
        names = ("ce_id", "ce_type", "traceparent")
        id_, type_, parent = (headers.get(name, b"").decode(errors="replace") for name in names)
        found.append(Traced(id_, type_, parent or None))
    return found


def fair_share(relays: int) -> int:
    """How many shards one of so many relays may own: together they can own all."""
    return -(-len(SHARDS) // max(relays, 1))


def to_release(owned: Iterable[int], share: int) -> list[int]:
    """Which shards to give up when others have come."""
    return sorted(owned)[share:]


def to_try(owned: Iterable[int], share: int) -> list[int]:
    """Which shards to try for while there are fewer than a fair share."""
    missing = sorted(set(SHARDS) - set(owned))
    return missing if len(set(owned)) < share else []


def by_topic(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each topic, in their order."""
    topics: dict[str, list[Row]] = {}
    for row in rows:
        topics.setdefault(row.topic, []).append(row)
    return topics


class Held:
    """Keys that wait because the broker refused one of their rows: until when, by key."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[str, float] = {}

    def hold(self, rows: Sequence[Row], now: float) -> None:
        """Leave the aggregates of these rows alone for a while, by the monotonic clock."""
        self._until |= dict.fromkeys((row.key for row in rows), now + self._seconds)

    def keys(self, now: float) -> list[str]:
        """Those that still wait."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        return list(self._until)


@dataclass
class View:
    """What a relay sees of all shards, its own or not. Times are of a monotonic clock."""

    free: frozenset[int] = frozenset()
    lag: float = 0.0
    """Seconds that the oldest unpublished event had waited at the last look."""
    _looked_at: float = 0.0
    _free_since: float = 0.0

    def look(self, free: Iterable[int], lag: float, now: float) -> None:
        """Take note of the shards without an owner and of the oldest unpublished event."""
        before, self.free = self.free, frozenset(free)
        if not before & self.free:
            self._free_since = now
        self.lag, self._looked_at = lag, now

    def lag_now(self, now: float) -> float:
        """How long the oldest unpublished event waits by now, as far as is known; 0 for none."""
        return self.lag + now - self._looked_at if self.lag else 0.0

    def problem(self, now: float) -> str | None:
        """Why events are held up, in an operator's words; None when they are not."""
        if self.free and now - self._free_since > UNOWNED_SECONDS:
            names = ", ".join(map(str, sorted(self.free)))
            return f"no relay owns the shards {names}"
        lag = self.lag_now(now)
        return f"the oldest unpublished event waits for {lag:.0f} s" if lag > LAG_SECONDS else None

    def details(self, now: float) -> dict[str, object]:
        """For operators."""
        return {"lag_seconds": round(self.lag_now(now), 1), "unowned_shards": sorted(self.free)}
