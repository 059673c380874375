"""Fixtures of these tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from gateway.quotes.lookup import Quotes
from gateway.quotes.quote_cache import QuoteCache
from infra.redis.client import open_redis
from infra.runtime.settings import RedisSettings
from tests.support.gateway.quote_deps import GATEWAY, Shelf, Worker
from tests.support.postgres import Database


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def shelf(redis: Redis, database: Database) -> Shelf:
    return Shelf(redis, database)


@pytest.fixture
async def known(redis: Redis, database: Database) -> QuoteCache:
    return QuoteCache(redis, await database.pool(GATEWAY))


@pytest.fixture
async def quotes(known: QuoteCache, worker: Worker) -> Quotes:
    return Quotes(known, worker)


@pytest.fixture
async def quotes_without_cache(redis_away: Redis, database: Database, worker: Worker) -> Quotes:
    return Quotes(QuoteCache(redis_away, await database.pool(GATEWAY)), worker)


@pytest.fixture
async def hanging(hanging_redis: Redis, database: Database) -> QuoteCache:
    """What is known beside a cache server that hangs."""
    return QuoteCache(hanging_redis, await database.pool(GATEWAY))


@pytest.fixture
async def hanging_redis() -> AsyncIterator[Redis]:
    """A client of a cache server that takes connections and never answers."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = SecretStr(f"redis://127.0.0.1:{port}/0")
    async with open_redis(RedisSettings(redis_url=url)) as redis:
        yield redis
    server.close()
