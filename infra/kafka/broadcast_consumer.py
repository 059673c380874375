"""Reading topics without a group: all of them as it comes, or a bounded range once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import MAX_RECORD_BYTES
from infra.kafka.aiokafka_internals import close_connections
from infra.kafka.connection import reader_options
from infra.kafka.records import Place, Record
from infra.runtime.settings import KafkaSettings

WAIT_MS = 500
REQUEST_MS = 20_000
SILENT_SECONDS = 10.0
"""How long a bounded reading waits for records that are there."""


class GoneError(Exception):
    """What was asked for is not in the topic: removed, or never there."""


class Watch:
    """Partitions followed from their `starts` on. `ends`: where they ended when it began."""

    def __init__(
        self, consumer: AIOKafkaConsumer, starts: Mapping[Place, int], ends: Mapping[Place, int]
    ) -> None:
        self._consumer = consumer
        self.starts = starts
        self.ends = ends

    async def read(self) -> dict[Place, list[Record]]:
        """Return what has come, in order within each partition; nothing after a while without.

        Raises aiokafka's errors for what it cannot recover from by itself.
        """
        found = await self._consumer.getmany(timeout_ms=WAIT_MS)
        return {(place.topic, place.partition): records for place, records in found.items()}

    async def current_ends(self) -> dict[Place, int]:
        """Return the offsets at which the partitions end now."""
        return _by_place(await self._consumer.end_offsets(self._consumer.assignment()))


@asynccontextmanager
async def watching(
    settings: KafkaSettings, *, client_id: str, history: Mapping[Place, int]
) -> AsyncIterator[Watch]:
    """Follow partitions from so many records before their ends."""
    async with _consumer(settings, client_id) as consumer:
        places = [TopicPartition(*place) for place in history]
        consumer.assign(places)
        begins = _by_place(await consumer.beginning_offsets(places))
        ends = _by_place(await consumer.end_offsets(places))
        starts = {p: max(begins[p], ends[p] - before) for p, before in history.items()}
        for place, start in starts.items():
            consumer.seek(TopicPartition(*place), start)
        yield Watch(consumer, starts, ends)


async def read_range(
    settings: KafkaSettings,
    *,
    client_id: str,
    place: Place,
    start: int,
    until: int,
    before: int = 0,
) -> AsyncGenerator[list[Record], None]:
    """Yield the records from `start` on and before `until`, and up to `before` ahead of them.

    Raises `GoneError`, `KafkaError`, `OSError`, also for a broker that says nothing for a while.
    Of an empty range it is only seen that it exists.
    What was never committed has an offset and no record.
    """
    async with _consumer(settings, client_id) as consumer:
        partition = TopicPartition(*place)
        consumer.assign([partition])
        begin = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        if start < begin or until > end:
            raise GoneError(f"{place} has {begin} to {end}, not {start} to {until}")
        at = max(begin, start - before) if start < until else until
        consumer.seek(partition, at)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while at < until:
            records = (await consumer.getmany(timeout_ms=WAIT_MS)).get(partition, [])
            reached = await consumer.position(partition)
            if records:
                yield [record for record in records if record.offset < until]
            if reached > at:
                at = reached
                heard = loop.time()
            elif loop.time() - heard > SILENT_SECONDS:
                raise TimeoutError(f"the broker of {place} is silent")


async def read_all(
    settings: KafkaSettings, *, client_id: str, place: Place
) -> AsyncGenerator[list[Record], None]:
    """Yield everything that a partition holds now. Raises as `read_range` does."""
    async with _consumer(settings, client_id) as consumer:
        partition = TopicPartition(*place)
        begin = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
    async for records in read_range(
        settings, client_id=client_id, place=place, start=begin, until=end
    ):
        yield records


@asynccontextmanager
async def _consumer(settings: KafkaSettings, client_id: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **reader_options(settings, client_id),
        auto_offset_reset="none",
        max_partition_fetch_bytes=MAX_RECORD_BYTES + 65_536,
        request_timeout_ms=REQUEST_MS,
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await stop_client(consumer)


async def stop_client(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, and never look cancelled for that.

    As long as the broker is away aiokafka is cancelled in there by itself, half stopped.

    It cancels a fetch that waits to try again, and does not expect that to be felt. To whoever
    reads it would look like being cancelled: for ever, and nobody would know.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping})
    if stopping.cancelled():
        await close_connections(consumer)
    else:
        stopping.result()


def _by_place(offsets: Mapping[Any, int]) -> dict[Place, int]:
    return {(place.topic, place.partition): offset for place, offset in offsets.items()}
