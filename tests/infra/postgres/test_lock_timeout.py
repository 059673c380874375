"""A migration waits for a lock for a moment only: nobody waits behind it for somebody else."""

import asyncio
import time
from pathlib import Path

import pytest

from infra.postgres.migrate import FOLDER, LockTimeouts, MigrationError, migrate, read_migrations
from tests.support.operations.cli_invocation import qnt9
from tests.support.postgres import Database
from tests.support.waiting import until

NEXT = len(read_migrations()) + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The migrations, and one that needs the strongest lock on a table that everybody writes."""
    for path in FOLDER.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / f"{NEXT:04}_another_column.sql").write_text("ALTER TABLE inbox ADD COLUMN more int")
    return tmp_path


async def test_writers_go_on_while_a_migration_waits_for_an_open_transaction(
    database: Database, folder: Path
) -> None:
    pool, worker = await database.pool(), await database.pool("qnt9_watchlist")
    reported: list[str] = []
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.fetch("SELECT FROM inbox")
        timeouts = LockTimeouts(lock_seconds=0.05, seconds=120, report=reported.append)
        migrating = asyncio.create_task(migrate(database.dsn(), folder, timeouts=timeouts))

        async def tried() -> bool:
            return len(reported) >= 2

        await until(tried, seconds=60)
        # Behind a migration that waits without end this would wait for the open transaction.
        async with asyncio.timeout(30):
            await worker.fetch("SELECT FROM inbox")
        assert not migrating.done()
        await transaction.rollback()
    assert await migrating == [f"{NEXT:04}_another_column"]
    assert "is locked by" in reported[0]


async def test_patience_ends_and_nothing_is_applied(database: Database, folder: Path) -> None:
    async with (await database.pool()).acquire() as conn, conn.transaction():
        await conn.fetch("SELECT FROM inbox")
        with pytest.raises(MigrationError, match="still locked after 0 s"):
            await migrate(database.dsn(), folder, timeouts=LockTimeouts(0.05, 0))
    assert await migrate(database.dsn(), folder) == [f"{NEXT:04}_another_column"]


async def test_a_runner_beside_another_one_gives_up_in_words(database: Database) -> None:
    async with (await database.pool()).acquire() as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", 0x514E5439)
        env = {"QNT9_POSTGRES_DSN": database.dsn()}
        began = time.monotonic()
        done = await qnt9("migrate", "--within", "0", env=env)
        assert time.monotonic() - began < 60
    assert done.exit_code == 1
    assert "another migration is still under way" in done.stderr
