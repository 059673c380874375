"""`qnt9 setup`: an installation made ready for its processes, again at any time."""

import asyncio
from collections.abc import Iterator

import click
from pydantic import BaseModel, Json, SecretStr
from pydantic_settings import SettingsConfigDict

from infra.kafka.admin import ensure_topology
from infra.kafka.scram_users import ensure_users
from infra.postgres.migrate import migrate
from infra.postgres.roles import ensure_database
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.cli.runner import loaded
from operations.database import database_errors


class Passwords(BaseModel):
    """The words of every role, by its name there."""

    postgres: dict[str, SecretStr]
    kafka: dict[str, SecretStr]


class SetupSettings(KafkaSettings, PostgresSettings):
    """The operator of the broker, the owner of the database, and one who may make roles."""

    model_config = SettingsConfigDict(env_prefix="QNT9_", extra="ignore")

    admin_postgres_dsn: SecretStr
    passwords: Json[Passwords]


@click.command(epilog="Example: docker compose run --rm setup")
def setup() -> None:
    """Prepare an installation: roles, tables, users, topics, rights.

    Existing objects are updated, so run it before every new version. Uses
    QNT9_ADMIN_POSTGRES_DSN (may make roles), QNT9_POSTGRES_DSN (qnt9_owner), QNT9_KAFKA_… (a super
    user) and QNT9_PASSWORDS: {"postgres": {role: password}, "kafka": {user: password}}.
    """
    for line in _steps(loaded(SetupSettings)):
        click.echo(line)


def _steps(settings: SetupSettings) -> Iterator[str]:
    passwords = settings.passwords
    roles, users = _clear(passwords.postgres), _clear(passwords.kafka)
    asyncio.run(_make_database(settings.admin_postgres_dsn.get_secret_value(), roles))
    yield f"the database has its {len(roles)} roles"
    applied = asyncio.run(_migrated(settings.postgres_dsn.get_secret_value()))
    yield from (f"applied {name}" for name in applied)
    yield "the database is up to date"
    ensure_users(settings, users)
    yield f"the broker has its {len(users)} users"
    changes = ensure_topology(settings)
    made, granted = len(changes.missing_topics), len(changes.missing_grants)
    yield f"the broker is as the contracts say: {made} topics made, {granted} rights given"


def _clear(words: dict[str, SecretStr]) -> dict[str, str]:
    return {name: word.get_secret_value() for name, word in words.items()}


async def _make_database(dsn: str, roles: dict[str, str]) -> None:
    async with database_errors(dsn):
        await ensure_database(dsn, roles)


async def _migrated(dsn: str) -> list[str]:
    async with database_errors(dsn):
        return await migrate(dsn)
