"""Where dead letters are read from the broker and held against what was done about them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from infra.messaging.dead_letter_encryption import owner_of
from infra.postgres.pool import Pool
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.broker import Broker, Range
from operations.database import open_database
from operations.dead_letters import topic as on_dead_letters
from operations.dead_letters.actions import Action, actions, key_of
from operations.dead_letters.topic import DeadLetter, DeadLetterTopic, Number
from operations.errors import OpsError

Wanted = Callable[[DeadLetter], bool]
Seen = tuple[DeadLetter, Action | None]


@dataclass(frozen=True, slots=True)
class DeadLetterRepository:
    """Broker and database together."""

    broker: Broker
    pool: Pool

    async def open_dead_letters(
        self, dlq_topics: Sequence[DeadLetterTopic], wanted: Wanted, after: Number | None = None
    ) -> AsyncGenerator[Seen, None]:
        """What is not dealt with, box by box, in the order in which it was set aside.

        With `after`, what follows that dead letter in this order.
        """
        if after:
            names = [dlq_topic.name for dlq_topic in dlq_topics]
            dlq_topics = (
                dlq_topics[names.index(after.dlq_topic.name) :]
                if after.dlq_topic.name in names
                else ()
            )
        for dlq_topic in dlq_topics:
            done = await self.done(dlq_topic)
            everything = await on_dead_letters.whole(self.broker, dlq_topic)
            if after and dlq_topic == after.dlq_topic:
                everything = replace(everything, start=max(everything.start, after.last + 1))
            left = after_the_marked(everything, set(done))
            async for encrypted in on_dead_letters.read(self.broker, dlq_topic, [left]):
                dead_letter = await self._decrypted(encrypted)
                if dead_letter.record.offset not in done and wanted(dead_letter):
                    yield dead_letter, None

    async def named(self, numbers: Iterable[Number]) -> AsyncGenerator[Seen, None]:
        """These dead letters, and what was done about them."""
        for number in numbers:
            done = await self.done(number.dlq_topic)
            async for dead_letter in on_dead_letters.read(
                self.broker, number.dlq_topic, [number.range]
            ):
                yield await self._decrypted(dead_letter), done.get(dead_letter.record.offset)

    async def _decrypted(self, dead_letter: DeadLetter) -> DeadLetter:
        """The dead letter under its owner's key, for as long as there is one."""
        if (owner := owner_of(dead_letter.record)) is None:
            return dead_letter
        async with self.pool.acquire() as conn:
            return dead_letter.decrypted(await key_of(conn, owner))

    async def check(self, numbers: Iterable[Number]) -> None:
        """Raises `OpsError` that says which of them are not there."""
        for number in numbers:
            there = await on_dead_letters.whole(self.broker, number.dlq_topic)
            if missing := absent(number, there):
                raise OpsError(f"{number.dlq_topic.name} {missing}; nothing was done")

    async def done(self, dlq_topic: DeadLetterTopic) -> dict[int, Action]:
        """What was done about dead letters of this box, by offset."""
        async with self.pool.acquire() as conn:
            return await actions(conn, dlq_topic.dead_letters)


def absent(number: Number, there: Range) -> str | None:
    """Which dead letters of a number are not there, and which of its box are; None when all are."""
    parts = [
        (first, last)
        for first, last in (
            (number.first, min(number.last, there.start - 1)),
            (max(number.first, there.until), number.last),
        )
        if first <= last
    ]
    if not parts:
        return None
    missing = " and ".join(f"{a} to {b}" if b > a else str(a) for a, b in parts)
    plural = "s" if number.last > number.first else ""
    has = f"it has {there.start} to {there.until - 1}" if not there.is_empty else "it is empty"
    return f"has no dead letter{plural} {missing}: {has}"


def after_the_marked(each: Range, marked: set[int]) -> Range:
    """Without what was dealt with at its beginning."""
    start = each.start
    while start < each.until and start in marked:
        start += 1
    return replace(each, start=start)


@asynccontextmanager
async def opened(
    kafka: KafkaSettings, postgres: PostgresSettings
) -> AsyncIterator[DeadLetterRepository]:
    """Both are asked at once, so that the one that is away is named before anything is done."""
    async with open_database(postgres) as pool:
        await pool.fetchval("SELECT true")
        async with Broker(kafka) as broker:
            yield DeadLetterRepository(broker, pool)
