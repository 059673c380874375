"""Reads with one bound for everything, of a database that may hang."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import asyncpg

from infra.postgres.pool import UNAVAILABLE, Pool
from infra.resilience.dependency_monitor import Dependency
from infra.runtime.clock import CLOCK, Clock

READ_SECONDS = 5.0

T = TypeVar("T")


class Readable(Protocol):
    """What can be read from: a pool, or `Reads`. All of them raise `UNAVAILABLE`."""

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Return all rows."""

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """Return the first row, None where there is none."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first column of the first row, None where there is none."""


class Reads:
    """Reads from a pool, each within `seconds`, waiting for a connection included.

    After one that took too long, or failed, all fail at once until the database answers again.
    """

    def __init__(self, pool: Pool, database: Dependency, *, seconds: float = READ_SECONDS) -> None:
        self._pool = pool
        self._database = database
        self._seconds = seconds

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Return all rows. Raises `UNAVAILABLE` errors, at once while the database is away."""
        return await self._bounded(lambda: self._pool.fetch(query, *args))

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """Return the first row, None where there is none. Raises as `fetch` does."""
        return await self._bounded(lambda: self._pool.fetchrow(query, *args))

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first column of the first row. Raises as `fetch` does."""
        return await self._bounded(lambda: self._pool.fetchval(query, *args))

    async def _bounded(self, read: Callable[[], Awaitable[T]]) -> T:
        self._database.check()
        try:
            async with asyncio.timeout(self._seconds):
                return await read()
        except UNAVAILABLE as error:
            self._database.suspect(error)
            raise


def probe_of(pool: Pool, clock: Clock = CLOCK) -> Callable[[], Awaitable[None]]:
    """Return a probe that asks the database for its time and compares this host's clock with it."""

    async def probe() -> None:
        async with pool.acquire() as conn:
            asked = clock.system_time()
            theirs = await conn.fetchval("SELECT clock_timestamp()")
            clock.measured(theirs, asked=asked, answered=clock.system_time())

    return probe
