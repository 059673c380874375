"""The cache server's client: one blocking pool, short time-outs, never needed to be right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis

from infra.settings import RedisSettings

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """A client whose pool waits for a free connection rather than fail under load."""
    trust: dict[str, Any] = {}
    if settings.redis_ca_file:
        trust["ssl_ca_certs"] = str(settings.redis_ca_file)
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=16,
        timeout=ANSWER_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        **trust,
    )
    async with Redis(connection_pool=pool) as redis:
        yield redis
    await pool.aclose()
