"""What outlives a consumer's process: whether it is paused, and what an operator has instructed."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

import asyncpg

from infra.kafka.records import Record
from infra.postgres.pool import UNAVAILABLE

Action = Literal["skip", "set-aside"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What becomes of some records of one consumer, as an operator has said.

    It holds for offsets from `first` on and before `until` of one partition, and of those for
    records of this type and key, where it names them.
    """

    action: Action
    topic: str
    partition: int
    first: int
    until: int
    type: str | None
    key: bytes | None
    operator: str
    reason: str

    def applies_to(self, record: Record) -> bool:
        """Return whether this instruction is about the record."""
        if (record.topic, record.partition) != (self.topic, self.partition):
            return False
        if not self.first <= record.offset < self.until:
            return False
        if self.key is not None and record.key != self.key:
            return False
        return self.type is None or ("ce_type", self.type.encode()) in record.headers


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and since when a consumer is paused, in words."""

    reason: str
    since: str


class ControlStore(Protocol):
    """Where both are kept. Raises errors of the database."""

    async def load(self) -> tuple[Pause | None, Sequence[Instruction]]:
        """Return the pause and the instructions that hold now."""
        ...

    async def pause(self, reason: str) -> None:
        """Pause every process of this consumer."""
        ...

    async def resume(self) -> None:
        """End the pause of every process."""
        ...


class Controls:
    """One consumer's copy of what is kept, refreshed from time to time."""

    def __init__(self, consumer: str, store: ControlStore | None = None) -> None:
        self.consumer = consumer
        self._store = store
        self._unsaved: bool | None = None
        """A decision that the database does not have yet: to pause, or to resume."""
        self.paused: Pause | None = None
        self.changed = False
        """Somebody else has paused or resumed this consumer; the worker has yet to follow."""
        self.instructions: Sequence[Instruction] = ()

    def instruction_for(self, record: Record) -> Instruction | None:
        """Return the latest instruction about a record, if there is one."""
        return next((each for each in self.instructions if each.applies_to(record)), None)

    async def refresh(self) -> None:
        """Save what is not saved, and learn what others have decided. Raises database errors."""
        if self._store is None:
            return
        if self._unsaved is not None:
            await self._save(pause=self._unsaved)
        paused, self.instructions = await self._store.load()
        self.changed = self.changed or (paused is None) != (self.paused is None)
        self.paused = paused

    async def pause(self, reason: str) -> None:
        """Pause, because this process has tripped its guard.

        Never fails: it is saved later if need be.
        """
        self.paused = Pause(reason, "now")
        await self._try_to_save(pause=True)

    async def resume(self) -> None:
        """End the pause, because its cause is gone. Never fails: it is saved later if need be."""
        self.paused = None
        await self._try_to_save(pause=False)

    async def _try_to_save(self, *, pause: bool) -> None:
        self._unsaved = pause
        if self._store:
            with suppress(*UNAVAILABLE, asyncpg.PostgresError):
                await self._save(pause=pause)

    async def _save(self, *, pause: bool) -> None:
        assert self._store
        if pause:
            await self._store.pause(self.paused.reason if self.paused else "")
        else:
            await self._store.resume()
        self._unsaved = None
