"""Forward-only migrations: `infra/migrations/NNNN_what_it_does.sql`, each once, in one transaction.

A migration that was applied is never edited: its checksum is kept, and a difference is refused.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).parents[1] / "migrations"
LOCK = 0x514E5439
"""Of the advisory lock that lets one runner at a time."""

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The migrations on disk and in the database do not fit; the message says where."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All migrations, numbered from 1 without a gap."""
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
    """What is still to be applied, given name and checksum of what was, by number."""
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


async def migrate(dsn: str, folder: Path = FOLDER) -> list[str]:
    """Apply what is pending, as the owner; the names of what was applied."""
    migrations = read_migrations(folder)
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
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
            await _apply(connection, each)
        return [each.name for each in todo]
    finally:
        await connection.close()


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name}: {error}") from error
