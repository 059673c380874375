"""The connection pool, and which of Postgres' errors mean that it is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from infra.observability.tracing import TRACING
from infra.runtime.settings import PostgresSettings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Raised while the server is away, starting or stopping, has no room on its disk, no memory or no
connection left, or is a standby (SQLSTATE 08, 53, 57, 58, 25006). Try again later, and
blame no message.

asyncpg's internal error is what the next statement meets on a session that was ended while idle,
in the moment before its connection is lost.
"""

TRANSIENT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Raised when two transactions met: try again now."""

CONNECT_SECONDS = 5
COMMAND_SECONDS = 30
ACQUIRE_SECONDS = 10.0
"""Connecting included. Nobody waits longer for a connection, nor for its being given back."""
CANCEL_SECONDS = 2.0
"""A statement that the server does not cancel in this time ends its session: the server hangs."""
PLAN_SECONDS = 1.0
"""A session uses no plan for longer than this (ADR 30)."""


class _Session(asyncpg.Connection):
    """A connection that is given up when its server does not even cancel a statement."""

    _plans_since = 0.0

    async def drop_old_plans(self) -> None:
        """Let PostgreSQL plan again what it planned more than `PLAN_SECONDS` ago."""
        now = time.monotonic()
        if now - self._plans_since >= PLAN_SECONDS:
            await self.execute("DISCARD PLANS")
            self._plans_since = now

    async def _cancel(self, *waiters: Any) -> None:
        async with asyncio.timeout(CANCEL_SECONDS) as bound:
            await super()._cancel(*waiters)  # type: ignore[misc]  # asyncpg has no types for it
        if bound.expired() and not self.is_closed():
            self.terminate()


class _BoundedPool(asyncpg.Pool):
    """A pool for whose connections nobody waits without end."""

    def acquire(self, *, timeout: float | None = ACQUIRE_SECONDS) -> Any:
        return super().acquire(timeout=timeout)


@asynccontextmanager
async def open_pool(settings: PostgresSettings, *, instance: str) -> AsyncIterator[Pool]:
    """Open a pool that connects when first needed: a process can start before its server."""
    pool = _BoundedPool(
        settings.postgres_dsn.get_secret_value(),
        connection_class=_Session,
        record_class=asyncpg.Record,
        min_size=0,
        max_size=settings.postgres_pool_max,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        init=_prepare,
        setup=drop_old_plans,
        reset=_nothing_to_reset,
        server_settings=session_settings(instance),
    )
    async with pool:
        yield pool


@asynccontextmanager
async def open_session(settings: PostgresSettings, *, instance: str) -> AsyncIterator[Connection]:
    """Open a connection of one's own, for locks and notifications, which end with it.

    Whatever fails inside ends it at once: nothing is asked of a session in an unknown state.
    """
    conn = await asyncpg.connect(
        settings.postgres_dsn.get_secret_value(),
        connection_class=_Session,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        server_settings=session_settings(instance),
    )
    try:
        await _prepare(conn)
        yield conn
        await conn.close(timeout=CONNECT_SECONDS)
    finally:
        conn.terminate()


def session_settings(instance: str) -> dict[str, str]:
    """Return the settings that every session of a process starts with.

    A page costs nearly the same wherever it is: in memory, or on a disk without moving parts.
    """
    return {"application_name": instance, "timezone": "UTC", "random_page_cost": "1.1"}


async def drop_old_plans(connection: Any) -> None:
    """Let PostgreSQL plan again what this session has used a plan for since `PLAN_SECONDS`.

    It keeps the plan of a prepared statement until the statistics of a table change. One that was
    made for an empty table reads the whole of it, however much it has grown since. A pool does
    this for its connections; the holder of a session does it while it works.
    """
    await connection.drop_old_plans()


async def _nothing_to_reset(_: Connection) -> None:
    """Whoever changes its session undoes that itself; the default costs a round trip each time."""


async def _prepare(connection: Connection) -> None:
    if TRACING.recorder:
        connection.add_query_logger(TRACING.query_done)
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )
