"""The cache server's client: one blocking pool, short time-outs, never needed to be right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis._parsers.hiredis import (
    _AsyncHiredisParser,  # the only place where a reply's size is known
)
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError  # noqa: A004  # what the client's callers expect

from infra.runtime.settings import RedisSettings

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
MAX_REPLY_BYTES = 1024 * 1024
"""Of all values in one reply, or one message. The server's password lets one write any."""


class BoundedParser(_AsyncHiredisParser):
    """Reads replies of a bounded size, and ends the connection on a larger one."""

    _fed = 0

    async def read_response(self, *args: Any, **options: Any) -> Any:
        self._fed = 0
        return await super().read_response(*args, **options)

    async def read_from_socket(self) -> bool:
        read = await self._stream.read(self._read_size) if self._stream else b""
        if not read:
            raise ConnectionError("the server closed the connection")
        self._fed += len(read)
        if self._fed > MAX_REPLY_BYTES:
            raise ConnectionError(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        reader: Any = self._reader
        reader.feed(read)
        return True


@asynccontextmanager
async def open_redis(settings: RedisSettings) -> AsyncIterator[Redis]:
    """Open a client whose pool waits for a free connection rather than fail under load."""
    trust: dict[str, Any] = {}
    if settings.redis_ca_file:
        trust["ssl_ca_certs"] = str(settings.redis_ca_file)
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=16,
        timeout=ANSWER_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        parser_class=BoundedParser,
        **trust,
    )
    async with Redis(connection_pool=pool) as redis:
        yield redis
    await pool.aclose()
