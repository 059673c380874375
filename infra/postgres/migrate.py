"""Forward-only migrations: `infra/migrations/NNNN_what_it_does.sql`, each once, in one transaction.

A migration that was applied is never edited: its checksum is kept, and a difference is refused.

Whoever waits for the lock of a table makes everybody wait who comes after, so a migration waits for
a moment only, is rolled back, and tries again later with nothing held.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from infra.postgres.grants import ensure_rights
from infra.postgres.pool import Connection
from infra.runtime.backoff import Backoff

FOLDER = Path(__file__).parents[1] / "migrations"
LOCK = 0x514E5439
"""Of the advisory lock that lets one runner at a time."""

CONNECT_SECONDS = 10
ANSWER_SECONDS = 30
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The migrations on disk and in the database do not fit; the message says where."""


@dataclass(frozen=True)
class Migration:
    """One numbered file of SQL."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return all migrations, numbered from 1 without a gap."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name} is not named NNNN_what_it_does.sql")
        migrations.append(Migration(int(match[1]), path.stem, path.read_text("utf-8")))
    if [each.number for each in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError("migrations are not numbered 0001, 0002, … without a gap")
    return migrations


def pending(
    migrations: Sequence[Migration], applied: dict[int, tuple[str, str]]
) -> list[Migration]:
    """Return what is still to be applied, given name and checksum of what was, by number."""
    for each in migrations:
        name, checksum = applied.get(each.number, (each.name, each.checksum))
        if (name, checksum) != (each.name, each.checksum):
            raise MigrationError(
                f"{each.name} is not what was applied as {name}: "
                "leave applied migrations as they are and add a new one"
            )
    if ahead := sorted(applied.keys() - {each.number for each in migrations}):
        raise MigrationError(f"the database is ahead of this code: it has migration {ahead[-1]}")
    return [each for each in migrations if each.number not in applied]


@dataclass(frozen=True, slots=True)
class LockTimeouts:
    """How long a migration waits for a lock, and how long it goes on trying.

    `lock_seconds`: what writers may have to wait behind it at a time. `seconds`: since the first
    try of a migration; then it is given up. `tell` hears of every try that failed.
    """

    lock_seconds: float = 0.5
    seconds: float = 300.0
    report: Callable[[str], None] = lambda _: None


LOCK_TIMEOUTS = LockTimeouts()


async def migrate(
    dsn: str, folder: Path = FOLDER, *, timeouts: LockTimeouts = LOCK_TIMEOUTS
) -> list[str]:
    """Apply what is pending, then the rights of all roles, as the owner.

    Returns the names of the migrations that were applied.
    Raises `MigrationError`; what was applied before stays applied.
    """
    migrations = read_migrations(folder)
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    try:
        await _alone(connection, timeouts)
        await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number     integer     PRIMARY KEY,
                name       text        NOT NULL,
                checksum   text        NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        rows = await connection.fetch("SELECT number, name, checksum FROM schema_migrations")
        applied = {row["number"]: (row["name"], row["checksum"]) for row in rows}
        todo = pending(migrations, applied)
        for each in todo:
            await _when_free(connection, each.name, timeouts, partial(_migrate, migration=each))
        await _when_free(connection, "rights", timeouts, ensure_rights)
        await connection.close(timeout=CONNECT_SECONDS)
        return [each.name for each in todo]
    finally:
        connection.terminate()  # where something failed, without a farewell that could wait


async def _alone(connection: Connection, timeouts: LockTimeouts) -> None:
    """One runner at a time. Raises `MigrationError` when another one takes too long."""
    async for waits in _tries(timeouts):
        if await connection.fetchval(
            "SELECT pg_try_advisory_lock($1)", LOCK, timeout=ANSWER_SECONDS
        ):
            return
        timeouts.report(f"another migration is under way; tries again in {waits:.1f} s")
    raise MigrationError(f"another migration is still under way after {timeouts.seconds:.0f} s")


async def _when_free(
    connection: Connection,
    name: str,
    timeouts: LockTimeouts,
    step: Callable[[Connection], Awaitable[object]],
) -> None:
    """Raises `MigrationError` when it fails, or somebody holds a lock for too long."""
    async for waits in _tries(timeouts):
        try:
            return await _apply(connection, name, timeouts.lock_seconds, step)
        except asyncpg.LockNotAvailableError:
            timeouts.report(
                f"{name}: a table is locked by {await _holders(connection)}; "
                f"tries again in {waits:.1f} s"
            )
    raise MigrationError(
        f"{name}: a table is still locked after {timeouts.seconds:.0f} s, by "
        f"{await _holders(connection)}; nothing of it was applied"
    )


async def _tries(timeouts: LockTimeouts) -> AsyncIterator[float]:
    """The seconds that are waited after this try, until timeouts ends."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + timeouts.seconds
    backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
    while True:
        waits = backoff.fail()
        yield waits
        if loop.time() + waits > ends:
            return
        await asyncio.sleep(waits)


async def _holders(connection: Connection) -> str:
    """Transactions that have been open for longest: one of them holds the lock."""
    rows = await connection.fetch(
        """
        SELECT pid, usename, state, extract(epoch FROM now() - xact_start)::int AS seconds
          FROM pg_stat_activity
         WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
         ORDER BY xact_start
         LIMIT 3
        """
    )
    return (
        ", ".join(
            f"process {row['pid']} of {row['usename']} ({row['state']}, {row['seconds']} s)"
            for row in rows
        )
        or "another transaction"
    )


async def _apply(
    connection: Connection,
    name: str,
    lock_seconds: float,
    step: Callable[[Connection], Awaitable[object]],
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('lock_timeout', $1, true)", f"{lock_seconds * 1000:.0f}ms"
            )
            await step(connection)
    except asyncpg.LockNotAvailableError:
        raise
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{name}: {error}") from error


async def _migrate(connection: Connection, *, migration: Migration) -> None:
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )
