"""`qnt9 audit list`: who did what to whom, when, and because of what."""

import json
from contextlib import aclosing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from infra.runtime.settings import PostgresSettings
from operations.audit.entries import Entry, Filter, entries
from operations.cli.options import data_option
from operations.cli.runner import loaded, run
from operations.cli.tables import wrapped
from operations.cli.target import point_at
from operations.cli.time_options import TIME
from operations.database import open_connection

NEWEST = 20


@click.command(
    "list", epilog="Example: qnt9 audit list --from 2026-11-03 --actor root --action ops.redriven"
)
@data_option
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=NEWEST,
    show_default=True,
    help="The number of newest rows.",
)
@click.option("--all", "everything", is_flag=True, help="Remove the limit on rows.")
@click.option("--from", "since", type=TIME, help="From this time: a time, or an age such as 2h.")
@click.option("--to", "until", type=TIME, help="Before this time.")
@click.option("--action", help="Only this action, such as user.signed_in.")
@click.option("--user", "user_id", type=click.UUID, help="Only what this user is the target of.")
@click.option("--actor", help="Only what this user (id) or operator (name) did.")
@click.option("--correlation-id", help="Only what one request caused.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for scripts: the newest first, all fields."
)
def list_rows(  # noqa: PLR0917 - click passes them by name
    data: Path,
    limit: int,
    everything: bool,
    since: datetime | None,
    until: datetime | None,
    action: str | None,
    user_id: UUID | None,
    actor: str | None,
    correlation_id: str | None,
    as_json: bool,
) -> None:
    """Show rows of the audit log, the newest last.

    `target` is the user or the topic that was changed. Actions of an operator show the operator's
    name instead of an actor. Uses QNT9_POSTGRES_DSN, else the system of --data.
    """
    if since and until and until < since:
        raise click.UsageError("--to comes before --from")
    point_at(data, unless="QNT9_POSTGRES_DSN")
    chosen = Filter(
        action, user_id, actor, correlation_id, since, until, None if everything else limit
    )
    run(_show(loaded(PostgresSettings), chosen, as_json=as_json))


async def _show(settings: PostgresSettings, chosen: Filter, *, as_json: bool) -> None:
    async with (
        open_connection(settings) as conn,
        aclosing(entries(conn, chosen, newest_first=as_json)) as found,
    ):
        if not as_json:
            async for entry in found:
                click.echo(text_of(entry))
            return
        before = "["
        async for entry in found:
            body = json.dumps(asdict(entry), default=str, ensure_ascii=False, indent=2)
            click.echo(before + "\n" + body, nl=False)
            before = ","
        click.echo("[]" if before == "[" else "\n]")


def text_of(entry: Entry) -> str:
    """A few lines: when and what, who and to whom, from where, and by which ids to find it."""
    lines = [f"{entry.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}  {entry.action}"]
    if entry.operator:
        lines.append(f"  operator {entry.operator}")
    if entry.actor_id == str(entry.user_id):
        lines.append(f"  actor and target {entry.target}")
    else:
        lines += [f"  actor {entry.actor_id}"] if entry.actor_id else []
        lines += [f"  target {entry.target}"] if entry.target else []
    if entry.ip_address or entry.user_agent:
        lines.append(f"  from {entry.ip_address or '-'} with {entry.user_agent or '-'}")
    if details := _in_clear(entry.details):
        lines.append("  details " + "  ".join(f"{n}={_short(v)}" for n, v in details.items()))
    lines.append(f"  event {entry.event_id}")
    if entry.correlation_id:
        lines.append(f"  correlation {entry.correlation_id}")
    return "\n".join(wrapped(line) for line in lines)


def _in_clear(details: dict[str, Any]) -> dict[str, Any]:
    """Without what is said elsewhere, and without what is encrypted."""
    return {
        name: value
        for name, value in details.items()
        if name not in {"user_id", "operator"}
        and value is not None
        and not str(value).startswith("p1.")
    }


def _short(value: Any) -> str:
    """Long lists are in --json."""
    if isinstance(value, list) and len(value) > 3:
        return f"({len(value)} values)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
