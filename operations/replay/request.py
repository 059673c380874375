"""A replay as it was asked for, and as it stands. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError

from contracts.ids import uuid7
from infra.kafka.consumer_groups import Committed, Place
from operations.broker import Range
from operations.lag import PROGRESS_PREFIX


@dataclass(frozen=True, slots=True)
class Note:
    """What stands beside an offset that a run committed."""

    run: UUID
    start: int
    until: int
    sent: int
    finished: bool = False


_NOTE = TypeAdapter(Note)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A replay in the operator's words. The same words are the same replay."""

    topic: str
    begin: str
    end: str
    to_topic: str | None = None
    to_group: str | None = None
    partitions: tuple[int, ...] = ()
    only_type: str | None = None
    only_key: str | None = None

    @property
    def destination(self) -> str:
        return f"topic {self.to_topic}" if self.to_topic else f"group {self.to_group}"

    @property
    def progress_group(self) -> str:
        words = orjson.dumps([getattr(self, name) for name in self.__slots__])
        return f"{PROGRESS_PREFIX}replay.{hashlib.sha256(words).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Run:
    """A replay that was begun: what it is about, and where it stands in each partition.

    A copy that came to its end is kept as finished, so that it is not made twice by mistake.
    """

    id: UUID
    ranges: tuple[Range, ...]
    positions: Mapping[int, int] = field(default_factory=dict)
    sent: Mapping[int, int] = field(default_factory=dict)
    finished: bool = False

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> Self:
        ranges = tuple(ranges)
        return cls(
            uuid7(),
            ranges,
            {r.partition: r.start for r in ranges},
            {r.partition: 0 for r in ranges},
        )

    @classmethod
    def from_offsets(cls, offsets: Mapping[Place, Committed]) -> Self | None:
        """As `to_offsets` kept it; None for what it did not write."""
        try:
            notes = {place[1]: _NOTE.validate_json(at.note) for place, at in offsets.items()}
        except ValidationError:
            return None
        if len({note.run for note in notes.values()}) != 1:
            return None
        return cls(
            next(iter(notes.values())).run,
            tuple(Range(number, note.start, note.until) for number, note in sorted(notes.items())),
            {place[1]: at.offset for place, at in offsets.items()},
            {number: note.sent for number, note in notes.items()},
            all(note.finished for note in notes.values()),
        )

    def to_offsets(self, topic: str) -> dict[Place, Committed]:
        return {
            (topic, each.partition): Committed(self.positions[each.partition], self._note(each))
            for each in self.ranges
        }

    def ends(self, topic: str) -> dict[Place, Committed]:
        return {
            (topic, each.partition): Committed(each.until, self._note(each)) for each in self.ranges
        }

    def _note(self, each: Range) -> str:
        note = Note(self.id, each.start, each.until, self.sent[each.partition], self.finished)
        return orjson.dumps(note).decode()

    @property
    def left(self) -> list[Range]:
        return [replace(each, start=self.positions[each.partition]) for each in self.ranges]

    @property
    def records_sent(self) -> int:
        return sum(self.sent.values())

    def moved(self, partition: int, position: int, sent: int) -> Self:
        return replace(
            self,
            positions={**self.positions, partition: position},
            sent={**self.sent, partition: self.sent[partition] + sent},
        )
