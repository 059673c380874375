import asyncpg
import pytest

from tests.support.postgres import Database


async def test_every_role_may_connect_and_do_its_part(database: Database) -> None:
    relay = await database.pool("qnt9_relay")
    await relay.execute("SELECT ensure_partitions('outbox', 'day', 3)")
    await relay.execute("SELECT ensure_partitions('outbox', 'day', 3)")
    audit = await database.pool("qnt9_audit")
    await audit.execute("SELECT ensure_partitions('audit_log', 'month', 2)")


async def test_a_worker_may_insert_an_event_but_not_call_it_published(database: Database) -> None:
    worker = await database.pool("qnt9_watchlist")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await worker.execute("UPDATE outbox SET published_at = now()")


async def test_a_partition_is_not_waited_for_while_someone_reads_its_parent(
    database: Database,
) -> None:
    """Whoever waited for the lock would hold up all who write."""
    relay, reader = await database.pool("qnt9_relay"), await database.pool()
    [last] = await database.fetch(
        "SELECT max(relname) AS name FROM pg_class WHERE relname ~ '^outbox_2.*[0-9]$'"
    )
    await database.execute(f"DROP TABLE {last['name']}")
    async with reader.acquire() as conn, conn.transaction():
        await conn.fetch("SELECT FROM outbox")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await relay.execute("SELECT ensure_partitions('outbox', 'day', 3)")
    await relay.execute("SELECT ensure_partitions('outbox', 'day', 3)")
    assert await database.fetch("SELECT FROM pg_class WHERE relname = $1", last["name"])
