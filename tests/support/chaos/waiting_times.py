"""How long each record waited once it was its turn, by what its consumer left behind.

A partition is read in order, so it is a record's turn when it lies in its topic and those before it
in the same partition are handled; not while the processes were dead.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.e2e.records import Raw

Away = Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True)
class Sent:
    """A good record, and where and when it came to lie."""

    record: Raw
    partition: int
    offset: int
    timestamp_ms: int

    @property
    def sent_at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp_ms / 1_000, UTC)


def waits(
    sent: Iterable[Sent], handled: Mapping[object, datetime], away: Away
) -> dict[object, float]:
    """By the id of each record, the seconds from its turn until it was handled."""
    found: dict[object, float] = {}
    free: dict[int, datetime] = {}
    for each in sorted(sent, key=lambda s: (s.partition, s.offset)):
        at = handled[each.record.id]
        turn = max(each.sent_at, free.get(each.partition, each.sent_at))
        for began, ended in sorted(away):
            if began <= turn < ended or turn < began <= at:
                turn = max(turn, ended)
        found[each.record.id] = max(timedelta(), at - turn).total_seconds()
        free[each.partition] = max(at, free.get(each.partition, at))
    return found


class Slowness:
    """How many times slower than an idle machine this one is, at its worst: load for each core."""

    def __init__(self) -> None:
        self.worst = 1.0

    def look(self) -> None:
        self.worst = max(self.worst, os.getloadavg()[0] / (os.cpu_count() or 1))
