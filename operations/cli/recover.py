"""`qnt9 recover`: after a restore, what was acknowledged is handled again."""

import json
from datetime import timedelta
from pathlib import Path

import click

from infra.postgres.pool import Connection, open_session
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.runner import Progress, both_settings, run
from operations.cli.tables import table
from operations.ops_events import By, this_operator
from operations.record_producer import Sender
from operations.recovery import apply, progress, store
from operations.recovery.apply import Recovery
from operations.recovery.progress import Standing
from operations.recovery.survey import Gap, Survey, survey

STOPPED = "stopped; run the same command again to continue"


@click.command(epilog="Example: qnt9 recover --dry-run")
@data_option
@click.option("--dry-run", is_flag=True, help="Print what was lost, and change nothing.")
@click.option("--reason", help="Your reason, for the audit log.")
@click.option("--no-wait", is_flag=True, help="Return after moving the groups.")
@click.option(
    "--patience",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds without progress before a command may end differently than before.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print what was lost as JSON, for scripts; with --dry-run.",
)
def recover(
    data: Path,
    reason: str | None,
    patience: int,
    *,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Bring a restored database up to date from Kafka.

    Finds messages that consumers have read and the database does not know, moves the groups back
    to them, and waits until they are executed again. You can stop it and run it again at any time.
    Uses QNT9_KAFKA_* and QNT9_POSTGRES_DSN (the owner's), else the system of --data.
    """
    settings = both_settings(data)
    found = run(_surveyed(*settings), when_stopped=STOPPED)
    if as_json:
        click.echo(json.dumps(apply.facts(found), indent=2))
    else:
        click.echo(_shown(found))
    if dry_run:
        click.echo("nothing was changed", err=True)
        return
    by = this_operator(reason)
    wait = None if no_wait else timedelta(seconds=patience)
    for line in run(_recovered(*settings, found, by, wait), when_stopped=STOPPED):
        click.echo(line)


async def _surveyed(kafka: KafkaSettings, postgres: PostgresSettings) -> Survey:
    async with Broker(kafka) as broker, open_session(postgres, instance="qnt9-recover") as conn:
        with Progress("compared", 0) as shown:
            return await survey(broker, conn, shown.seen)


async def _recovered(
    kafka: KafkaSettings,
    postgres: PostgresSettings,
    found: Survey,
    by: By,
    patience: timedelta | None,
) -> list[str]:
    async with Broker(kafka) as broker, open_session(postgres, instance="qnt9-recover") as conn:
        begun = await store.unfinished(conn)
        recovery = Recovery(begun["id"], begun["points"]) if begun else None
        if not found.is_current:
            await apply.refuse_members(broker, found)
            async with Sender(kafka) as sender:
                recovery = await apply.apply(broker, conn, sender, found, by=by)
        if recovery is None:
            return []
        if patience is None:
            return ["run `qnt9 recover` again to wait for the end"]
        await progress.follow(broker, conn, recovery, _Told().tell, patience=patience)
        return await _report(conn, recovery)


class _Told:
    """Progress on stderr, each standing once."""

    def __init__(self) -> None:
        self._last = ""

    def tell(self, now: Standing) -> None:
        line = f"{now.records:,} records and {now.awaited:,} events to be made again"
        if now.idle:
            line += f"; no process reads for {', '.join(now.idle)}: start what you stopped"
        if line != self._last:
            click.echo(line, err=True)
        self._last = line


async def _report(conn: Connection, recovery: Recovery) -> list[str]:
    lines = ["recovered: everything that Kafka has was handled again"]
    for type_, without, in_vain in await store.not_repeated(conn, recovery.id):
        if without:
            lines.append(f"{type_}: {without} were published, and no command makes them again")
        if in_vain:
            lines.append(f"{type_}: {in_vain} were published, and their commands ended otherwise")
    return lines


def _shown(found: Survey) -> str:
    if found.is_current:
        return "the database knows everything that was read from Kafka"
    rows = [("GROUP", "TOPIC", "FROM", "BEFORE", "LOST")]
    lines = []
    for consumer, gaps in found.groups.items():
        rows += [_row(consumer.group, gap) for gap in gaps]
        lines += [
            f"{consumer.group}: {'/'.join(map(str, gap.place))} begins at {gap.begin}; what was "
            "lost before that is no longer in Kafka and cannot be had again"
            for gap in gaps
            if gap.cut
        ]
    rows += [_row("(events published)", gap) for gap in found.events]
    return "\n".join([table(rows, right=frozenset({2, 3, 4})), *lines])


def _row(group: str, gap: Gap) -> tuple[str, str, str, str, str]:
    place = "/".join(map(str, gap.place))
    return group, place, str(gap.point), str(gap.until), str(gap.lost)
