"""Where letters are read from the broker and held against what was done about them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from infra.ops import letters as on_letters
from infra.ops.actions import Action, actions
from infra.ops.broker import Broker, Range
from infra.ops.database import open_database
from infra.ops.errors import OpsError
from infra.ops.letters import Box, Letter, Number
from infra.postgres.pool import Pool
from infra.settings import KafkaSettings, PostgresSettings

Wanted = Callable[[Letter], bool]
Seen = tuple[Letter, Action | None]


@dataclass(frozen=True, slots=True)
class Office:
    """Broker and database together."""

    broker: Broker
    pool: Pool

    async def open_letters(
        self, boxes: Sequence[Box], wanted: Wanted
    ) -> AsyncGenerator[Seen, None]:
        """What is not dealt with, box by box, in the order in which it was set aside."""
        for box in boxes:
            done = await self.done(box)
            everything = await on_letters.whole(self.broker, box)
            left = after_the_marked(everything, set(done))
            async for letter in on_letters.read(self.broker, box, [left]):
                if letter.record.offset not in done and wanted(letter):
                    yield letter, None

    async def named(self, numbers: Iterable[Number]) -> AsyncGenerator[Seen, None]:
        """These letters, and what was done about them."""
        for number in numbers:
            done = await self.done(number.box)
            async for letter in on_letters.read(self.broker, number.box, [number.range]):
                yield letter, done.get(letter.record.offset)

    async def check(self, numbers: Iterable[Number]) -> None:
        """Raises `OpsError` when one of them is not there."""
        for number in numbers:
            there = await on_letters.whole(self.broker, number.box)
            if number.first < there.start or number.last >= there.until:
                last = f" to {number.last}" if number.last > number.first else ""
                raise OpsError(
                    f"{number.box.name} has no letter {number.first}{last}; "
                    "`qnt9 dlq list` shows those it has"
                )

    async def done(self, box: Box) -> dict[int, Action]:
        """What was done about letters of this box, by offset."""
        async with self.pool.acquire() as conn:
            return await actions(conn, box.dead_letters)


def after_the_marked(each: Range, marked: set[int]) -> Range:
    """Without what was dealt with at its beginning: boxes are kept for ever."""
    start = each.start
    while start < each.until and start in marked:
        start += 1
    return replace(each, start=start)


@asynccontextmanager
async def opened(kafka: KafkaSettings, postgres: PostgresSettings) -> AsyncIterator[Office]:
    """Both are asked at once, so that the one that is away is named before anything is done."""
    async with open_database(postgres) as pool:
        await pool.fetchval("SELECT true")
        async with Broker(kafka) as broker:
            yield Office(broker, pool)
