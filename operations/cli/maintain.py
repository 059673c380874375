"""Migrations and keys: what an operator does to any installation."""

import json
from pathlib import Path

import click

from devstack.supervisor.credentials import generate_keys
from infra.postgres.migrate import LOCK_TIMEOUTS, LockTimeouts
from infra.postgres.migrate import migrate as run_migrations
from infra.runtime.settings import PostgresSettings
from operations.cli.options import data_option, fail
from operations.cli.runner import loaded, run
from operations.cli.target import point_at
from operations.container_secrets import Hosts, write_secrets
from operations.database import database_errors


@click.command(epilog="Example: QNT9_POSTGRES_DSN=postgresql://… qnt9 migrate --lock-timeout 0.2")
@data_option
@click.option(
    "--lock-timeout",
    type=click.FloatRange(0.01, 60),
    default=LOCK_TIMEOUTS.lock_seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long a migration waits for a lock at a time; writers may wait behind it.",
)
@click.option(
    "--within",
    type=click.FloatRange(0),
    default=LOCK_TIMEOUTS.seconds,
    show_default=True,
    metavar="SECONDS",
    help="How long a migration that finds a table locked is tried again.",
)
def migrate(data: Path, lock_timeout: float, within: float) -> None:
    """Bring the database up to date. Uses QNT9_POSTGRES_DSN, else the system of --data.

    A migration that does not get a lock in time is rolled back and retried, so that an open
    transaction does not block the writers behind the migration.
    """
    point_at(data, unless="QNT9_POSTGRES_DSN")
    dsn = loaded(PostgresSettings).postgres_dsn.get_secret_value()
    timeouts = LockTimeouts(lock_timeout, within, lambda text: click.echo(text, err=True))
    for name in run(_migrated(dsn, timeouts)):
        click.echo(f"applied {name}")
    click.echo("the database is up to date")


async def _migrated(dsn: str, timeouts: LockTimeouts) -> list[str]:
    async with database_errors(dsn):
        return await run_migrations(dsn, timeouts=timeouts)


@click.group(epilog="Example: qnt9 keys generate > keys.env")
def keys() -> None:
    """Keys of an installation."""


@keys.command(epilog="Example: (umask 077; qnt9 keys generate > keys.env)")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def generate(as_json: bool) -> None:
    """Print a complete set of new secret keys as settings. They are not stored."""
    made = generate_keys()
    if as_json:
        click.echo(json.dumps(made, indent=2))
    else:
        click.echo("\n".join(f"{name}={value}" for name, value in made.items()))


@keys.command(epilog="Example: qnt9 keys files secrets")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def files(folder: Path) -> None:
    """Write the secrets of compose.yaml into FOLDER, one file each.

    Existing files are kept; missing ones are added.
    """
    try:
        names = write_secrets(folder.absolute(), Hosts())
    except OSError as error:
        raise fail(f"{error.strerror}: {error.filename}") from error
    click.echo(f"{len(names)} files in {folder}/, readable by you alone")
