"""Pure decisions: which shards a relay wants, which rows go where and which wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.kafka.producer import Outgoing

SHARDS = range(8)
"""As the column `shard` of the outbox counts them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One unpublished event."""

    seq: int
    created_at: datetime
    topic: str
    record: Outgoing

    @property
    def key(self) -> str:
        return self.record.key.decode()


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
        self._until |= dict.fromkeys((row.key for row in rows), now + self._seconds)

    def keys(self, now: float) -> list[str]:
        """Those that still wait."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        return list(self._until)
