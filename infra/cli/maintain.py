"""Migrations and keys: what an operator does to any installation."""

import asyncio
import json
from pathlib import Path

import asyncpg
import click
from pydantic_settings import SettingsConfigDict

from infra.cli.options import data_option, fail
from infra.cli.target import point_at
from infra.containers.secrets import Hosts, write_secrets
from infra.embedded.credentials import generate_keys
from infra.postgres.migrate import MigrationError
from infra.postgres.migrate import migrate as run_migrations
from infra.settings import PostgresSettings, SettingsError, load


@click.command(epilog="Example: QNT9_POSTGRES_DSN=postgresql://… qnt9 migrate")
@data_option
def migrate(data: Path) -> None:
    """Bring the database up to date. Uses QNT9_POSTGRES_DSN, else the system of --data."""
    point_at(data, unless="QNT9_POSTGRES_DSN")
    try:
        dsn = load(_Database).postgres_dsn.get_secret_value()
        applied = asyncio.run(run_migrations(dsn))
    except (MigrationError, SettingsError, OSError, asyncpg.PostgresError) as error:
        raise fail(str(error)) from error
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the database is up to date")


@click.group(epilog="Example: qnt9 keys generate > keys.env")
def keys() -> None:
    """Keys of an installation."""


@keys.command(epilog="Example: (umask 077; qnt9 keys generate > keys.env)")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def generate(as_json: bool) -> None:
    """Print a complete set of new keys, as settings. They are secrets, and stored nowhere."""
    made = generate_keys()
    if as_json:
        click.echo(json.dumps(made, indent=2))
    else:
        click.echo("\n".join(f"{name}={value}" for name, value in made.items()))


@keys.command(epilog="Example: qnt9 keys files secrets")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def files(folder: Path) -> None:
    """Write the secrets of compose.yaml into FOLDER, a file each.

    Made once: what FOLDER has is kept, what has come since is added.
    """
    try:
        names = write_secrets(folder.absolute(), Hosts())
    except OSError as error:
        raise fail(f"{error.strerror}: {error.filename}") from error
    click.echo(f"{len(names)} files in {folder}/, readable by you alone")


class _Database(PostgresSettings):
    model_config = SettingsConfigDict(env_prefix="QNT9_", extra="ignore")
