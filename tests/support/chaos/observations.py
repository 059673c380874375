"""All that the system has written since a run began, read once, as it grows."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.physical_topics import physical_topics
from contracts.topics import MAX_DEAD_LETTER_BYTES
from infra.messaging.record_reader import headers_as_text
from tests.support.e2e.text_search import Piece, Tail, in_cache, in_metrics, of_record, of_row, rows
from tests.support.stack import Stack

Place = tuple[str, int]
Aggregate = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """A record of a topic, as far as it matters here."""

    id: UUID
    type: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the outbox."""

    id: UUID
    type: str
    aggregate: Aggregate


@dataclass
class Traces:
    """What one command has left behind."""

    commands: list[Published] = field(default_factory=list)
    events: set[UUID] = field(default_factory=set)
    dead_letters: list[Published] = field(default_factory=list)
    facts: dict[UUID, Fact] = field(default_factory=dict)
    rows: dict[UUID, set[datetime]] = field(default_factory=dict)
    """Of the audit log: an event that is in it twice has another time there."""


@dataclass
class Seen:
    """Traces by correlation id, and what the tables say of commands and events by their ids."""

    traces: defaultdict[str, Traces] = field(default_factory=lambda: defaultdict(Traces))
    settled: set[UUID] = field(default_factory=set)
    parked: set[UUID] = field(default_factory=set)
    order: dict[UUID, int] = field(default_factory=dict)
    """Each event's number in the outbox."""
    appeared: dict[Aggregate, dict[UUID, None]] = field(default_factory=dict)
    """The first appearances of each aggregate's events."""
    fresh: set[str] = field(default_factory=set)
    """Whose traces have become more, until somebody has taken note."""

    def take_record(self, record: Any) -> None:
        headers = headers_as_text(record)
        correlation_id = headers.get("ce_correlationid")
        if correlation_id is None or "ce_id" not in headers:
            return
        published = Published(UUID(headers["ce_id"]), headers["ce_type"])
        traces = self.traces[correlation_id]
        self.fresh.add(correlation_id)
        topic: str = record.topic
        if topic.endswith(".commands"):
            traces.commands.append(published)
        elif topic.endswith(".dlq"):
            traces.dead_letters.append(published)
        elif topic.endswith(".events"):
            traces.events.add(published.id)
            aggregate = (topic, (record.key or b"").decode())
            self.appeared.setdefault(aggregate, {}).setdefault(published.id)

    def take_row(self, table: str, row: asyncpg.Record) -> None:
        if table.startswith("outbox_"):
            self._take_fact(row)
        elif table.startswith("audit_log_"):
            self.fresh.add(row["correlation_id"])
            found = self.traces[row["correlation_id"]].rows
            found.setdefault(row["event_id"], set()).add(row["created_at"])
        elif table == "inbox" and row["outcome"] is not None:
            self.settled.add(row["message_id"])
        elif table == "parked_commands":
            self.parked.add(row["command_id"])

    def _take_fact(self, row: asyncpg.Record) -> None:
        correlation_id = orjson.loads(row["headers"])["ce_correlationid"]
        aggregate = (f"{row['aggregatetype']}.events", row["aggregateid"])
        traces = self.traces[correlation_id]
        if row["id"] not in traces.facts:
            self.fresh.add(correlation_id)
        traces.facts[row["id"]] = Fact(row["id"], row["type"], aggregate)
        self.order[row["id"]] = row["seq"]

    def forget_database(self) -> None:
        """The database is another one: only what is in it now counts."""
        self.settled.clear()
        self.parked.clear()
        self.order.clear()
        for traces in self.traces.values():
            traces.facts.clear()
            traces.rows.clear()

    def more_of(self, correlation_ids: Iterable[str]) -> set[str]:
        """Those of which more was seen since this was last asked."""
        more = self.fresh.intersection(correlation_ids)
        self.fresh.clear()
        return more


class Reading:
    """Where reading has come to, in every topic, table and file."""

    def __init__(self, stack: Stack, consumer: AIOKafkaConsumer) -> None:
        self.seen = Seen()
        self._stack = stack
        self._consumer = consumer
        self._since = 0
        self.recoveries = 0
        """How often the database was brought up to Kafka after a restore."""
        self._tails = [Tail(stack, "logs"), Tail(stack, "valkey")]

    async def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Where each partition of these ends now."""
        places = [p for p in self._consumer.assignment() if p.topic in topics]
        ends = await self._consumer.end_offsets(places)
        return {(place.topic, place.partition): end for place, end in ends.items()}

    async def skip(self) -> None:
        """What is there already is nobody's of this run."""
        await self._consumer.seek_to_end()
        for tail in self._tails:
            for _ in tail.added():
                pass
        async with self._stack.postgres() as conn:
            self._since = await _transaction(conn)
            self.recoveries = await _recoveries(conn)

    async def more(self) -> list[Piece]:
        """Everything that was written since; of cache and metrics all that is there."""
        pieces: list[Piece] = []
        async for record in self._records():
            self.seen.take_record(record)
            pieces += of_record(record)
        async with self._stack.postgres() as conn:
            if (recoveries := await _recoveries(conn)) != self.recoveries:
                self.recoveries, self._since = recoveries, 0
                self.seen.forget_database()
            now = await _transaction(conn)
            async for table, row in rows(conn, self._since):
                self.seen.take_row(table, row)
                pieces += of_row(table, row)
            self._since = now
        for tail in self._tails:
            pieces += tail.added()
        pieces += [piece async for piece in in_cache(self._stack)]
        pieces += [piece async for piece in in_metrics(self._stack)]
        return pieces

    async def _records(self) -> AsyncIterator[Any]:
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(p) < end for p, end in ends.items()]):
            for batch in (await self._consumer.getmany(timeout_ms=200)).values():
                for record in batch:
                    yield record


async def _transaction(conn: Any) -> int:
    """What an older transaction has written can be seen already."""
    return int(await conn.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


async def _recoveries(conn: Any) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM recoveries"))


@asynccontextmanager
async def reading(stack: Stack) -> AsyncIterator[Reading]:
    """From now on."""
    consumer = AIOKafkaConsumer(
        **stack.kafka_options(),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=MAX_DEAD_LETTER_BYTES,
    )
    async with consumer:
        topics = list(physical_topics())
        consumer.assign([TopicPartition(t.name, p) for t in topics for p in range(t.partitions)])
        read = Reading(stack, consumer)
        await read.skip()
        yield read
