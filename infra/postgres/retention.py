"""House-keeping: what a table has held for long enough goes, one bounded batch after the other.

Each slice says in its `retention.py` what may go of the tables that it defines, and its own
process removes it, with its own rights. Several instances may run: one at a time works on a table.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from infra.postgres.pool import TRANSIENT, UNAVAILABLE, Connection, Pool
from infra.runtime.backoff import sleep_unevenly

log = structlog.get_logger(__name__)

LOCKS = 0x514E5448
"""The class of the advisory locks; the second number stands for a table."""

ROWS_AT_ONCE = 1_000
PAUSE_SECONDS = 0.1
EVERY_SECONDS = 600.0

REMOVED = Counter(
    "qnt9_retention_removed_total", "Rows removed because they had been kept long enough", ["table"]
)
LAST_RUN = Gauge("qnt9_retention_last_run_seconds", "Unix time of the last whole run", ["table"])

DeleteExpired = Callable[[Connection, timedelta, int], Awaitable[int]]
"""Delete at most so many rows that were kept for longer than that. Returns how many it deleted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How long the rows of a table are kept, and the statement that removes them."""

    table: str
    keep: timedelta
    delete: DeleteExpired


def oldest_rows(
    table: str, *, key: tuple[str, ...], since: str, only: str = "true", skip_locked: bool = False
) -> DeleteExpired:
    """Delete the rows of a table whose time has passed, oldest first.

    `key` is the primary key, `since` the column from which a row is kept, `only` a condition in
    SQL, `skip_locked` whether other sessions write these rows; all of them are constants.
    """
    columns, lock = ", ".join(key), "FOR UPDATE SKIP LOCKED" if skip_locked else ""
    same = " AND ".join(f"{table}.{column} = old.{column}" for column in key)
    statement = f"""
        WITH old AS (
            SELECT {columns} FROM {table}
             WHERE {since} < now() - $1::interval AND {only}
             ORDER BY {since} LIMIT $2 {lock}
        ), deleted AS (
            DELETE FROM {table} USING old WHERE {same} RETURNING 1
        )
        SELECT count(*) FROM deleted
    """  # noqa: S608  # constants

    async def delete(conn: Connection, keep: timedelta, most: int) -> int:
        deleted: int = await conn.fetchval(statement, keep, most)
        return deleted

    return delete


async def run(
    pool: Pool, rule: Rule, *, at_once: int = ROWS_AT_ONCE, pause: float = PAUSE_SECONDS
) -> int:
    """Delete all that is due, a transaction a batch, unless another process does.

    Returns the rows.
    """
    removed, rows = 0, at_once
    while rows >= at_once:
        if removed:
            await asyncio.sleep(pause)
        async with pool.acquire() as conn, conn.transaction():
            rows = await rule.delete(conn, rule.keep, at_once) if await _mine(conn, rule) else 0
        removed += rows
        REMOVED.labels(rule.table).inc(rows)
    LAST_RUN.labels(rule.table).set_to_current_time()
    return removed


async def run_retention(pool: Pool, rules: Sequence[Rule], *, every: float = EVERY_SECONDS) -> None:
    """Delete what is due for ever, at uneven times. What fails is tried again the next time."""
    while True:
        await sleep_unevenly(every)
        for rule in rules:
            try:
                removed = await run(pool, rule)
            except (*UNAVAILABLE, *TRANSIENT, asyncpg.PostgresError) as error:
                log.warning("retention_failed", table=rule.table, error=type(error).__name__)
                continue
            if removed:
                log.info("rows_deleted", table=rule.table, rows=removed, kept_days=rule.keep.days)


async def _mine(conn: Connection, rule: Rule) -> bool:
    """Until the transaction ends."""
    locked: bool = await conn.fetchval(
        "SELECT pg_try_advisory_xact_lock($1, hashtext($2))", LOCKS, rule.table
    )
    return locked
