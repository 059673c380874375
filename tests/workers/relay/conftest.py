"""Fixtures of these tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.postgres import Database
from tests.support.workers.relay_slice import MemoryKafka, Outbox, StartRelay, running_relay
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

    async with AsyncExitStack() as stack:

        async def start(*, poll: float = 0.05, kafka: MemoryKafka = kafka) -> Relay:
            return await stack.enter_async_context(running_relay(database, kafka, poll))

        yield start  # type: ignore[misc]
