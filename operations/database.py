"""The database as a command uses it: bounded in time, every failure said to be PostgreSQL's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from infra.observability.error_text import describe
from infra.postgres.pool import (
    COMMAND_SECONDS,
    CONNECT_SECONDS,
    UNAVAILABLE,
    Connection,
    Pool,
    open_pool,
)
from infra.runtime.settings import PostgresSettings
from operations.errors import OpsError


class DatabaseError(OpsError):
    """PostgreSQL was away, too slow, or refused a statement."""

    def __init__(self, dsn: str, error: BaseException) -> None:
        super().__init__(f"PostgreSQL at {address_of(dsn)}: {_reason(error)}")


@asynccontextmanager
async def database_errors(dsn: str) -> AsyncIterator[None]:
    """Raises `DatabaseError` for what the database client raises inside of the block."""
    try:
        yield
    except (*UNAVAILABLE, asyncpg.PostgresError) as error:
        raise DatabaseError(dsn, error) from error


@asynccontextmanager
async def open_database(settings: PostgresSettings) -> AsyncIterator[Pool]:
    """A pool for one command. Whatever fails ends its connections at once, without a farewell."""
    async with (
        database_errors(settings.postgres_dsn.get_secret_value()),
        open_pool(settings, instance="qnt9-ops") as pool,
    ):
        try:
            yield pool
        except BaseException:
            pool.terminate()
            raise


@asynccontextmanager
async def open_connection(
    settings: PostgresSettings, *, command_seconds: float | None = COMMAND_SECONDS
) -> AsyncIterator[Connection]:
    """One connection for one command, ended at once when something fails."""
    dsn = settings.postgres_dsn.get_secret_value()
    async with database_errors(dsn):
        conn = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, command_timeout=command_seconds)
        try:
            yield conn
            await conn.close(timeout=CONNECT_SECONDS)
        finally:
            conn.terminate()


def address_of(dsn: str) -> str:
    """Host and port, without what is secret."""
    parts = urlsplit(dsn)
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname or 'localhost'}:{port or 5432}"


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        seconds = f"{CONNECT_SECONDS} s to connect, {COMMAND_SECONDS} s for a statement"
        return f"no answer in time ({seconds})"
    return describe(error)
