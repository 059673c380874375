"""Fixtures of these tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from uuid import uuid4

import pytest

from infra.postgres.pool import open_session
from infra.runtime.settings import PostgresSettings
from tests.support.postgres import Database
from tests.support.workers.relay_slice import LEASE_SECONDS, MemoryKafka, Outbox, StartRelay
from workers.relay.relay import Relay


@pytest.fixture
def kafka() -> MemoryKafka:
    return MemoryKafka()


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
async def start_relay(database: Database, kafka: MemoryKafka) -> AsyncIterator[StartRelay]:
    """Each call starts one more relay, with a pool of its own."""

    @asynccontextmanager
    async def running(poll: float, kafka: MemoryKafka) -> AsyncIterator[Relay]:
        settings = PostgresSettings.model_validate({"postgres_dsn": database.dsn("qnt9_relay")})
        session = partial(open_session, settings, instance=f"relay-{uuid4().hex[:4]}")
        relay = Relay(session, kafka, poll=poll, lease_seconds=LEASE_SECONDS)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            await relay.stop()
            await task

    async with AsyncExitStack() as stack:

        async def start(*, poll: float = 0.05, kafka: MemoryKafka = kafka) -> Relay:
            return await stack.enter_async_context(running(poll, kafka))

        yield start  # type: ignore[misc]
