"""Is it there, and does it work? One short question to each kind of part."""

import asyncio
import struct
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import redis.asyncio
import redis.exceptions

SECONDS = 2.0


async def answers_ready(url: str) -> bool:
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            return (await client.get(f"{url}/health/ready")).is_success
    return False


async def readiness(health_url: str) -> dict[str, Any] | None:
    """What a process says of its readiness: `problems` by check, `details` of what is outside.

    None when it does not answer in time, or with something else.
    """
    with suppress(httpx.HTTPError, ValueError):
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            found = (await client.get(health_url)).json()
            return found if isinstance(found, dict) else None
    return None


_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""Kafka's ApiVersions request, version 0, without a client id: answered before any sign-in."""


async def kafka_answers(host: str, port: int) -> bool:
    """Whether the broker answers a request: one that hangs still takes connections."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_API_VERSIONS)
                _, correlation_id = struct.unpack(">ii", await reader.readexactly(8))
            finally:
                writer.close()
        return bool(correlation_id == 1)
    return False


async def postgres_answers(dsn: str) -> bool:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with asyncio.timeout(SECONDS):
            connection = await asyncpg.connect(dsn)
            try:
                return bool(await connection.fetchval("SELECT true"))
            finally:
                await connection.close()
    return False


async def valkey_answers(url: str) -> bool:
    with suppress(OSError, TimeoutError, redis.exceptions.RedisError):
        async with redis.asyncio.from_url(url, socket_timeout=SECONDS) as client:
            return bool(await client.ping())
    return False
