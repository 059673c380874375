"""A database that hangs, as SIGSTOP makes it: each read ends in time, and then none is begun."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from pydantic import SecretStr

from infra.postgres import pool as pools
from infra.postgres.pool import UNAVAILABLE, Pool, open_pool
from infra.postgres.reads import Reads, probe_of
from infra.resilience.dependency_monitor import AwayError, Dependency
from infra.runtime.clock import Clock
from infra.runtime.settings import PostgresSettings
from tests.support.postgres import Database
from tests.support.waiting import until

READ_SECONDS = 1.0
READERS = 32
CONNECTIONS = 4


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    settings = PostgresSettings(
        postgres_dsn=SecretStr(database.dsn("qnt9_gateway")), postgres_pool_max=CONNECTIONS
    )
    async with open_pool(settings, instance="test") as opened:
        yield opened


async def sessions(pool: Pool) -> list[int]:
    """The processes that serve the pool, all of its connections open."""
    async with asyncio.TaskGroup() as tasks:
        found = [
            tasks.create_task(pool.fetchrow("SELECT pg_backend_pid(), pg_sleep(0.1)"))
            for _ in range(CONNECTIONS)
        ]
    return sorted({row[0] for task in found if (row := task.result())})


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_reads_of_a_database_that_hangs_end_in_time_and_then_at_once(pool: Pool) -> None:
    database = Dependency("postgres", probe_of(pool, Clock()), seconds=READ_SECONDS, every=3_600)
    watching = asyncio.create_task(database.watch())
    reads = Reads(pool, database, seconds=READ_SECONDS)
    await until(lambda: database.problem is None)
    with stopped(await sessions(pool)):
        began = time.monotonic()
        outcomes = await asyncio.gather(
            *(reads.fetchval("SELECT 1") for _ in range(READERS)), return_exceptions=True
        )
        took = time.monotonic() - began
        assert all(isinstance(each, UNAVAILABLE) for each in outcomes)
        assert took < READ_SECONDS + pools.CANCEL_SECONDS + 10
        assert database.is_away
        assert "postgres does not answer" in (database.problem or "")
        began = time.monotonic()
        for _ in range(READERS):
            with pytest.raises(AwayError):
                await reads.fetchval("SELECT 1")
        assert time.monotonic() - began < READ_SECONDS
    await until(lambda: database.problem is None, seconds=30)
    assert await reads.fetchval("SELECT 1") == 1
    watching.cancel()


async def test_slow_read_costs_the_others_a_moment(pool: Pool) -> None:
    database = Dependency("postgres", probe_of(pool, Clock()), every=3_600)
    watching = asyncio.create_task(database.watch())
    reads = Reads(pool, database, seconds=0.2)
    await until(lambda: database.problem is None)
    with pytest.raises(TimeoutError):
        await reads.fetchval("SELECT pg_sleep(30)")
    await until(lambda: database.problem is None)
    assert await reads.fetchval("SELECT 1") == 1
    watching.cancel()


async def fail_while_stopped(pool: Pool) -> None:
    """A transaction that meets a server that has stopped, until its connection is given back."""
    with ExitStack() as stack:
        async with pool.acquire() as conn, conn.transaction():
            stack.enter_context(stopped([await conn.fetchval("SELECT pg_backend_pid()")]))
            await conn.execute("SELECT 1", timeout=0.2)


async def test_session_whose_server_cancels_nothing_is_given_up(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "CANCEL_SECONDS", 0.5)
    async with asyncio.timeout(25):  # asyncpg itself waits 30 s for the cancellation alone
        with pytest.raises(UNAVAILABLE):
            await fail_while_stopped(pool)
