"""A crash of PostgreSQL may lose marks of the relay, and nothing else."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from infra.kafka.producer import BrokerUnavailableError, Outgoing
from infra.postgres.migrate import FOLDER, migrate
from tests.support.postgres import OWNER, Database, Server, new_server, started_server
from tests.support.waiting import until
from tests.support.workers.relay_slice import MemoryKafka, Outbox, running_relay
from workers.relay import store
from workers.relay.rules import SHARDS

pytestmark = pytest.mark.postgres

NAME = "crashes"
KEYS, EVENTS = ("ada", "bob", "cy"), 20


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Database]:
    async with AsyncExitStack() as resources:
        yield Database(server, NAME, resources)


async def make_database(server: Server) -> None:
    """Its commits reach the disk, unlike those of other tests."""
    await server.make_roles()
    await server.execute(f"CREATE DATABASE {NAME} OWNER {OWNER}")
    await server.execute(f"ALTER DATABASE {NAME} SET synchronous_commit = on")
    await migrate(server.dsn(OWNER, NAME), FOLDER)


async def write(outbox: Outbox, first: int, end: int) -> None:
    for key in KEYS:
        await outbox.write(key, *(f"{key} {number}" for number in range(first, end)))


def refuse(topic: str, records: Sequence[Outgoing]) -> None:
    raise BrokerUnavailableError(topic, len(records))


async def test_every_event_is_published_in_order_when_postgres_and_the_relay_crash(
    tmp_path: Path,
) -> None:
    """Of the first half, the last marks may be lost; of the second, Kafka has acknowledged none."""
    port, server = new_server(tmp_path / "data")
    kafka, kafka_of_the_next = MemoryKafka(), MemoryKafka()
    with started_server(tmp_path / "data", port) as before:
        await make_database(server)
        async with opened(server) as database, running_relay(database, kafka):
            outbox = Outbox(database)
            await write(outbox, 0, EVENTS)
            await until(outbox.is_empty)
            kafka.open.clear()
            kafka.asked.clear()
            await write(outbox, EVENTS, 2 * EVENTS)
            await until(kafka.asked.is_set)
            await outbox.write("dora", "every mark before this is on the disk")
            before.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(before.wait)
            kafka.fault = refuse
            kafka.open.set()
    with started_server(tmp_path / "data", port):
        async with opened(server) as database, running_relay(database, kafka_of_the_next):
            await until(Outbox(database).is_empty, seconds=60)
    for key in KEYS:
        published = kafka.values_of(key) + kafka_of_the_next.values_of(key)
        assert list(dict.fromkeys(published)) == [f"{key} {n}" for n in range(2 * EVENTS)]


async def test_only_marks_commit_without_waiting_for_the_disk(
    outbox: Outbox, database: Database
) -> None:
    pool = await database.pool("qnt9_relay")
    await outbox.write("ada", "1")
    async with pool.acquire() as conn:
        await conn.execute("SET synchronous_commit = on")
        async with conn.transaction():
            await store.mark_published(conn, await store.unpublished(conn, SHARDS, [], 10))
            assert await conn.fetchval("SHOW synchronous_commit") == "off"
        assert await conn.fetchval("SHOW synchronous_commit") == "on"
        await conn.execute("RESET synchronous_commit")
    assert await outbox.is_empty()
