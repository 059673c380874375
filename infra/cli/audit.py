"""`qnt9 audit`: what happened, for people."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import click

from infra.cli.options import data_option, fail
from infra.cli.target import point_at
from infra.settings import PostgresSettings, SettingsError, load

COLUMNS = ("created_at", "action", "user_id", "ip_address", "user_agent", "details")


@click.group(epilog="Example: qnt9 audit list --limit 20")
def audit() -> None:
    """The audit log."""


@audit.command("list", epilog="Example: qnt9 audit list --limit 20 --action user.signin")
@data_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--action", help="Only this action.")
@click.option("--user", "user_id", type=click.UUID, help="Only this user.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_rows(data: Path, limit: int, action: str | None, user_id: Any, *, as_json: bool) -> None:
    """Show the newest rows. Uses QNT9_POSTGRES_DSN, else the system of --data."""
    point_at(data, unless="QNT9_POSTGRES_DSN")
    try:
        dsn = load(PostgresSettings).postgres_dsn.get_secret_value()
        rows = asyncio.run(_newest(dsn, limit, action, user_id))
    except (SettingsError, OSError, asyncpg.PostgresError) as error:
        raise fail(str(error)) from error
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows], default=str, indent=2))
        return
    for row in reversed(rows):
        when = f"{row['created_at']:%Y-%m-%d %H:%M:%S}"
        who = f"user={row['user_id'] or '-'} ip={row['ip_address'] or '-'}"
        click.echo(f"{when}  {row['action']:24} {who} client={row['user_agent'] or '-'}")


async def _newest(dsn: str, limit: int, action: str | None, user_id: Any) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(
            """
            SELECT created_at, action, user_id, ip_address, user_agent, details
              FROM audit_log
             WHERE ($2::text IS NULL OR action = $2) AND ($3::uuid IS NULL OR user_id = $3)
             ORDER BY created_at DESC, event_id DESC
             LIMIT $1
            """,
            limit,
            action,
            user_id,
        )
    finally:
        await connection.close()
