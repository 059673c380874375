"""Relays on a real outbox; only Kafka is an in-memory stand-in that keeps what it acknowledged."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import uuid4

from contracts.ids import uuid7
from infra.kafka.producer import Outgoing, Producer
from infra.postgres.pool import Connection, open_session
from infra.runtime.settings import PostgresSettings
from tests.support.postgres import Database
from workers.relay.relay import Relay

PARTITIONS = 3


BATCH = 50


LEASE_SECONDS = 2.0


class MemoryKafka(Producer):
    """Acknowledges each batch, unless `fault` raises for it or `open` is not set."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Outgoing]] = defaultdict(list)
        self.fault: Callable[[str, Sequence[Outgoing]], None] = lambda *_: None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def partition_of(self, topic: str, key: bytes) -> int:  # noqa: ARG002
        return sum(key) % PARTITIONS

    async def publish_batch(
        self,
        topic: str,
        partition: int,  # noqa: ARG002
        records: Sequence[Outgoing],
        *,
        seconds: float,  # noqa: ARG002
    ) -> int:
        batch = records[:BATCH]
        self.asked.set()
        await self.open.wait()
        self.fault(topic, batch)
        self.topics[topic] += batch
        return len(batch)

    def values(self, topic: str = "watchlists.events") -> list[str]:
        return [record.value.decode() for record in self.topics[topic]]

    def values_of(self, key: str, topic: str = "watchlists.events") -> list[str]:
        return [r.value.decode() for r in self.topics[topic] if r.key.decode() == key]


@dataclass
class Outbox:
    """The outbox as workers write to it."""

    database: Database

    async def write(self, key: str, *payloads: str, topic: str = "watchlists") -> None:
        """In one transaction, with its notification."""
        pool = await self.database.pool()
        async with pool.acquire() as conn, conn.transaction():
            await self.write_in(conn, key, *payloads, topic=topic)

    async def write_in(
        self, conn: Connection, key: str, *payloads: str, topic: str = "watchlists"
    ) -> None:
        for payload in payloads:
            await conn.execute(
                """
                INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
                VALUES ($1, $2, $3, 'qnt9.watchlist.item_added.v1', $4, $5)
                """,
                uuid7(),
                topic,
                key,
                payload,
                {"ce_type": "qnt9.watchlist.item_added.v1"},
            )
        await conn.execute("SELECT pg_notify('outbox', '')")

    async def unpublished(self) -> list[str]:
        rows = await self.database.fetch(
            "SELECT payload FROM outbox WHERE published_at IS NULL ORDER BY seq"
        )
        return [row["payload"] for row in rows]

    async def holds(self, *payloads: str) -> bool:
        """Whether exactly these are unpublished."""
        return await self.unpublished() == list(payloads)

    async def is_empty(self) -> bool:
        return not await self.unpublished()


class StartRelay(Protocol):
    async def __call__(self, *, poll: float = 0.05, kafka: MemoryKafka | None = None) -> Relay: ...


@asynccontextmanager
async def running_relay(
    database: Database, kafka: MemoryKafka, poll: float = 0.05
) -> AsyncIterator[Relay]:
    """A relay at work; stopped in the end."""
    settings = PostgresSettings.model_validate({"postgres_dsn": database.dsn("qnt9_relay")})
    session = partial(open_session, settings, instance=f"relay-{uuid4().hex[:4]}")
    relay = Relay(session, kafka, poll=poll, lease_seconds=LEASE_SECONDS)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        await relay.stop()
        await task
