"""What has become of each record of one batch, and how far each partition is finished."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from infra.kafka.records import Place, Record
from infra.messaging.dead_letter_owner import Owner


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is set aside.

    `kind` is one of a few words for metrics: `unreadable`, `poison`, `handler`, `operator`.
    """

    reason: str
    kind: str
    attempts: int = 1
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that becomes a dead letter."""

    record: Record
    failure: Failure
    owner: Owner | None = None
    """Whose command it is; None for what is nobody's who is known."""


@dataclass(slots=True)
class Prefix:
    """The finished records at the beginning of one partition's part of a batch."""

    until: int
    """The offset of the first record that is not finished."""
    complete: bool = True
    dead_letters: list[SetAside] = field(default_factory=list)


class Batch:
    """The records of one fetch. Each is unfinished until it is said what became of it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.written: set[Place] = set()
        """Partitions whose dead letters are written; their offset is committed with them."""
        self.firsts: dict[Place, int] = {}
        """The first offset of each partition."""
        for record in records:
            self.firsts.setdefault((record.topic, record.partition), record.offset)
        self._finished: dict[tuple[str, int, int], Failure | None] = {}

    def finish(self, record: Record) -> None:
        """Note that a record was handled, now or before, or that nobody wants it."""
        self._finished[place_of(record)] = None

    def set_aside(self, record: Record, failure: Failure) -> None:
        """Note that a record is to become a dead letter."""
        self._finished[place_of(record)] = failure

    def prefixes(self) -> dict[Place, Prefix]:
        """Return how far each partition is finished, in order, and the dead letters up to there."""
        found: dict[Place, Prefix] = {}
        for record in self.records:
            prefix = found.setdefault((record.topic, record.partition), Prefix(until=record.offset))
            if not prefix.complete:
                continue
            place = place_of(record)
            if place not in self._finished:
                prefix.until, prefix.complete = record.offset, False
                continue
            prefix.until = record.offset + 1
            if failure := self._finished[place]:
                prefix.dead_letters.append(SetAside(record, failure))
        return found

    def reached(self) -> dict[Place, int]:
        """Return the next offset of each partition, behind what is finished and written."""
        return {
            place: prefix.dead_letters[0].record.offset
            if prefix.dead_letters and place not in self.written
            else prefix.until
            for place, prefix in self.prefixes().items()
        }

    def set_aside_ahead(self) -> Iterator[SetAside]:
        """Yield the records to set aside that come after an unfinished one of their partition."""
        prefixes = self.prefixes()
        for record in self.records:
            failure = self._finished.get(place_of(record))
            if failure and record.offset >= prefixes[record.topic, record.partition].until:
                yield SetAside(record, failure)


def place_of(record: Record) -> tuple[str, int, int]:
    """Return topic, partition and offset."""
    return record.topic, record.partition, record.offset
