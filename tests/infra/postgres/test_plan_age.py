"""A plan that was made for an empty table does not outlive it by more than a moment."""

from uuid import UUID

import pytest

from contracts.ids import uuid7
from infra.postgres.pool import Connection, Pool
from tests.support.postgres import Database
from tests.support.waiting import until
from workers.audit import store

ROWS_READ_WHOLE = """
    SELECT coalesce(sum(seq_tup_read), 0)::int FROM pg_stat_xact_user_tables
     WHERE relname = 'audit_chain'
"""
PREPARED = 8
"""After so many uses, PostgreSQL keeps the plan of a prepared statement."""


async def rows_read_whole(conn: Connection, event_id: UUID) -> int:
    async with conn.transaction():
        await store.stored(conn, [event_id])
        rows: int = await conn.fetchval(ROWS_READ_WHOLE)
        return rows


async def a_session_that_planned_for_an_empty_table(database: Database) -> Pool:
    await database.execute("ANALYZE audit_chain")
    await database.execute("VACUUM audit_chain")
    pool = await database.pool("qnt9_audit")
    async with pool.acquire() as conn:
        for _ in range(PREPARED):
            await store.stored(conn, [uuid7()])
    return pool


async def fill(database: Database, rows: int) -> None:
    await database.execute(
        "INSERT INTO audit_heads (chain, topic, partition) VALUES (1, 'users.events', 0)"
    )
    await database.execute(
        """
        INSERT INTO audit_chain (chain, sequence, event_id, created_at, hash)
        SELECT 1, n, gen_random_uuid(), now(), '' FROM generate_series(1, $1::int) AS n
        """,
        rows,
    )


@pytest.mark.parametrize("rows", [5_000])
async def test_plan_made_for_an_empty_table_is_dropped_when_the_table_has_grown(
    rows: int, database: Database
) -> None:
    pool = await a_session_that_planned_for_an_empty_table(database)
    await fill(database, rows)

    async def by_index() -> bool:
        async with pool.acquire() as conn:
            return await rows_read_whole(conn, uuid7()) == 0

    await until(by_index)


async def test_plan_made_for_an_empty_table_is_kept_by_postgres_itself(database: Database) -> None:
    """Why plans are dropped. When this fails, PostgreSQL does it, and ADR 30 can go."""
    pool = await a_session_that_planned_for_an_empty_table(database)
    async with pool.acquire() as conn:
        await fill(database, 5_000)
        assert await rows_read_whole(conn, uuid7()) == 5_000
