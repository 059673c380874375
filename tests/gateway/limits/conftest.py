"""A Valkey for each module, and clients of it as the gateway opens them."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from infra.redis.client import open_redis
from infra.settings import RedisSettings
from tests.valkey import Valkey, running_valkey


@pytest.fixture(scope="module")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Valkey]:
    async with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    async with open_redis(RedisSettings(redis_url=SecretStr(valkey.url))) as client:
        yield client
