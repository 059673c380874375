"""Whether the database knows what a consumer group has read: after a restore it does not.

A consumer that goes on with a database older than its committed offsets would leave out what was
acknowledged, so it stays out of its group until `qnt9 recover` has moved the offsets back.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import Envelope
from contracts.topics import (
    AUDIT,
    COMMAND_RETENTION,
    MAX_DATA_BYTES,
    SEGMENT,
    Consumer,
    topics_of,
)
from infra.kafka.broadcast_consumer import stop_client
from infra.kafka.connection import reader_options
from infra.kafka.records import Place, Record
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RawEventReader, envelope_of
from infra.messaging.restored_database import Memory, RestoredDatabaseError, unknown_messages
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.runtime.clock import CLOCK
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

LOOK_BACK = 20
"""Records before the committed offset of a partition: unreadable ones among them tell nothing."""
KNOWN_FOR = COMMAND_RETENTION + SEGMENT
"""A record that is older tells nothing: retention may have removed what was known of it."""
RETRY_SECONDS = 2.0
CONFIRM_SECONDS = 10.0
SILENT_SECONDS = 30.0
OLDER = "the database is older than what was read from Kafka: run `qnt9 recover`"


def messages_of(consumer: Consumer, records: Iterable[Record]) -> Iterator[tuple[Record, Envelope]]:
    """The records that the database has to know once the consumer has read them, in their order."""
    if consumer == AUDIT:
        yield from _events_of(records)
        return
    carried = {message.type for topic in topics_of(consumer) for message in topic.carries}
    oldest = (CLOCK.time() - KNOWN_FOR / timedelta(seconds=1)) * 1_000
    for record in records:
        envelope = envelope_of(record)
        if envelope and envelope.type in carried and record.timestamp >= oldest:
            yield record, envelope


def _events_of(records: Iterable[Record]) -> Iterator[tuple[Record, Envelope]]:
    """The records that the audit log has to have, whatever their type and age."""
    reader = RawEventReader()
    for record in records:
        if isinstance(reading := reader.read(record), InboundMessage):
            yield record, reading.envelope


class DatabaseAge:
    """Lets a consumer join its group once its database is current, and ends it when it is not."""

    def __init__(
        self,
        settings: KafkaSettings,
        consumer: Consumer,
        pool: Pool,
        memory: Memory,
        *,
        client_id: str,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._pool = pool
        self._memory = memory
        self._client_id = client_id
        self.problem: str | None = "not compared with Kafka yet"

    async def current(self) -> None:
        """Return when the database knows what the group has read, however long that takes."""
        while True:
            try:
                newest = await self._newest()
                async with self._pool.acquire() as conn:
                    ids = [envelope.id for _, envelope in newest.values()]
                    unknown = await unknown_messages(conn, self._consumer.name, ids)
            except Exception as error:  # noqa: BLE001  # nothing in a topic ends a worker
                log.info("database_not_compared", consumer=self._consumer.name, error=repr(error))
            else:
                if not unknown:
                    self._remember(newest.values())
                    self.problem = None
                    return
                if self.problem != OLDER:
                    lost = sorted(
                        f"{t}:{p}" for (t, p), (_, e) in newest.items() if e.id in unknown
                    )
                    log.error("database_older_than_kafka", consumer=self._consumer.name, lost=lost)
                self.problem = OLDER
            await asyncio.sleep(RETRY_SECONDS)

    async def watch(self) -> None:
        """Never return. Raises `RestoredDatabaseError` when the database was replaced."""
        while True:
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await self._memory.contradicted.wait()
            except TimeoutError:
                try:
                    async with self._pool.acquire() as conn:
                        await self._memory.confirm(conn, self._consumer.name)
                except RestoredDatabaseError:
                    pass
                except (*UNAVAILABLE, asyncpg.PostgresError):
                    continue
            if self._memory.contradicted.is_set():
                self.problem = OLDER
                raise RestoredDatabaseError("the database was replaced by an older one")

    def _remember(self, newest: Iterable[tuple[Record, Envelope]]) -> None:
        last = max(newest, key=lambda each: each[0].timestamp, default=None)
        if last and self._memory.last is None:
            self._memory.remember(last[1].id)

    async def _newest(self) -> dict[Place, tuple[Record, Envelope]]:
        """The last message before the committed offset of each partition that has one."""
        records = await last_read(self._settings, self._consumer, client_id=self._client_id)
        found = {place: list(messages_of(self._consumer, each)) for place, each in records.items()}
        return {place: each[-1] for place, each in found.items() if each}


async def last_read(
    settings: KafkaSettings, consumer: Consumer, *, client_id: str, at_most: int = LOOK_BACK
) -> dict[Place, list[Record]]:
    """The last records before a group's committed offsets, oldest first.

    Asks as the group without joining it. Raises `KafkaError`, `OSError` and `TimeoutError`.
    """
    client = AIOKafkaConsumer(
        **reader_options(settings, f"{client_id}-age", group_id=consumer.group),
        auto_offset_reset="earliest",
    )
    try:
        async with asyncio.timeout(SILENT_SECONDS) as silence:
            await client.start()
            return await _read_back(client, consumer, at_most, silence)
    finally:
        await stop_client(client)


async def _read_back(
    client: AIOKafkaConsumer, consumer: Consumer, at_most: int, silence: asyncio.Timeout
) -> dict[Place, list[Record]]:
    """Of each partition. What is too big to be handled tells nothing, and would fill the memory."""
    loop = asyncio.get_running_loop()
    left = await _seek_back(client, consumer, at_most)
    found: dict[Place, list[Record]] = {(p.topic, p.partition): [] for p in left}
    while left:
        for place, records in (await client.getmany(*left, timeout_ms=200)).items():
            silence.reschedule(loop.time() + SILENT_SECONDS)
            found[place.topic, place.partition] += [
                r
                for r in records
                if r.offset < left[place] and len(r.value or b"") <= MAX_DATA_BYTES
            ]
        for place in list(left):
            if await client.position(place) >= left[place]:
                client.pause(place)
                del left[place]
    return found


async def _seek_back(
    client: AIOKafkaConsumer, consumer: Consumer, at_most: int
) -> dict[TopicPartition, int]:
    """Go back in each partition of which the group has read something that is still there.

    Returns the offsets before which is to be read.
    """
    places = [
        TopicPartition(name, number)
        for topic in topics_of(consumer)
        for name, count in ((topic.name, topic.partitions), (topic.redrive(consumer), 1))
        for number in range(count)
    ]
    offsets = await asyncio.gather(*(client.committed(place) for place in places))
    read = {place: offset for place, offset in zip(places, offsets, strict=True) if offset}
    if not read:
        return {}
    begins = await client.beginning_offsets(list(read))
    ends = await client.end_offsets(list(read))
    # A topic whose end was cut off has fewer records than the group has read.
    until = {place: min(offset, ends[place]) for place, offset in read.items()}
    until = {place: offset for place, offset in until.items() if begins[place] < offset}
    client.assign(list(until))
    for place, offset in until.items():
        client.seek(place, max(begins[place], offset - at_most))
    return until
