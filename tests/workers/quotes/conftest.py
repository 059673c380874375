"""Fixtures of these tests."""

from collections import deque
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from contracts.commands import LookUpQuote, Search
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.record_reader import RecordReader
from infra.resilience.policies import Change
from tests.support.devstack.exchange_client import Client, running_exchange
from tests.support.message_builders import MemoryDeadLetters, no_sleep
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.workers.quotes_slice import ROLE, QuotesSlice, a_link, wired
from workers.quotes.consumer import POLICY
from workers.quotes.handlers import HANDLES
from workers.quotes.http_client import Timeouts
from workers.quotes.provider_fallback import ProviderFallback
from workers.quotes.yahoo import Yahoo, open_yahoo


@pytest.fixture
async def exchange() -> AsyncIterator[Client]:
    async with running_exchange() as client:
        yield client


@pytest.fixture
async def yahoo(exchange: Client) -> AsyncIterator[Yahoo]:
    url = str(exchange.http.base_url)
    async with open_yahoo(url, name="sandbox", timeouts=Timeouts(read_seconds=0.5)) as yahoo:
        yield yahoo


@pytest.fixture
async def deps(
    database: Database, redis: Redis, exchange: Client, yahoo: Yahoo
) -> AsyncIterator[QuotesSlice]:
    pool, outcome_notifier = await database.pool(ROLE), MemoryOutcomeNotifier()

    def chain(changes: deque[Change]) -> ProviderFallback:
        return ProviderFallback([a_link(yahoo, redis, changes)], yahoo)

    parts = wired(pool, outcome_notifier, redis, chain)
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "quotes",
        dispatch_in_bulk(HANDLES, parts),
        reader=RecordReader({LookUpQuote.type: LookUpQuote, Search.type: Search}, None),
        dead_letters=dead_letters,
        transactions=None,
        policy=POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    yield QuotesSlice(parts, work, database, redis, exchange, outcome_notifier, dead_letters)
    await parts.finish()
