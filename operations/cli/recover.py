"""`qnt9 recover`: after a restore of the database or of Kafka, each gets from the other."""

import json
from datetime import timedelta
from pathlib import Path

import click

from infra.postgres.pool import Connection, open_session
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.recover_report import displayed, displayed_loss, loss_facts
from operations.cli.runner import Progress, both_settings, run
from operations.ops_events import OperatorContext, this_operator
from operations.record_producer import Sender
from operations.recovery import apply, loss_store, progress, store
from operations.recovery.apply import Recovery
from operations.recovery.loss import KafkaLoss, survey_kafka
from operations.recovery.progress import RecoveryProgress
from operations.recovery.refill import refill
from operations.recovery.survey import Survey, survey

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
    """Bring a restored database up to date from Kafka, and Kafka from the audit log.

    Finds messages that consumers have read and the database does not know, moves the groups back
    to them, and waits until they are executed again. Finds events that the audit log has and a new
    or older Kafka has not, and publishes them again. Reports what cannot be restored. You can stop
    it and run it again at any time.
    Uses QNT9_KAFKA_* and QNT9_POSTGRES_DSN (the owner's), else the system of --data.
    """
    settings = both_settings(data)
    found, loss = run(_surveyed(*settings), when_stopped=STOPPED)
    if as_json:
        click.echo(json.dumps(apply.facts(found) | loss_facts(loss), indent=2))
    else:
        click.echo(displayed(found))
        click.echo(displayed_loss(loss))
    if dry_run:
        click.echo("nothing was changed", err=True)
        return
    by = this_operator(reason)
    wait = None if no_wait else timedelta(seconds=patience)
    for line in run(_recovered(*settings, found, loss, by, wait), when_stopped=STOPPED):
        click.echo(line)


async def _surveyed(kafka: KafkaSettings, postgres: PostgresSettings) -> tuple[Survey, KafkaLoss]:
    async with Broker(kafka) as broker, open_session(postgres, instance="qnt9-recover") as conn:
        with Progress("compared") as progress_:
            found = await survey(broker, conn, progress_.seen)
            return found, await survey_kafka(broker, conn, progress_.seen)


async def _recovered(  # noqa: PLR0917  # of one call, above
    kafka: KafkaSettings,
    postgres: PostgresSettings,
    found: Survey,
    loss: KafkaLoss,
    by: OperatorContext,
    patience: timedelta | None,
) -> list[str]:
    async with Broker(kafka) as broker, open_session(postgres, instance="qnt9-recover") as conn:
        lines = await _refilled(broker, conn, loss, by)
        begun = await store.unfinished(conn)
        recovery = Recovery(begun["id"], begun["points"]) if begun else None
        if not found.is_current:
            await apply.refuse_members(broker, found)
            async with Sender(broker.settings) as sender:
                recovery = await apply.apply(broker, conn, sender, found, by=by)
        if recovery is None:
            return lines
        if patience is None:
            return [*lines, "run `qnt9 recover` again to wait for the end"]
        await progress.follow(broker, conn, recovery, _ProgressReport().report, patience=patience)
        return [*lines, *await _report(conn, recovery)]


async def _refilled(
    broker: Broker, conn: Connection, loss: KafkaLoss, by: OperatorContext
) -> list[str]:
    """Fill in what Kafka has lost, and report a run before that could not say so any more."""
    begun = await loss_store.untold(conn)
    if not loss.is_none or begun:
        # The tables of this session have to hold it; meanwhile more may have come.
        with Progress("compared") as progress_:
            loss = await survey_kafka(broker, conn, progress_.seen)
    if not loss.refillable and not begun:
        return []
    async with Sender(broker.settings) as sender:
        with Progress("filled in", loss.refillable) as progress_:
            await refill(broker, conn, sender, loss, by=by, seen=progress_.seen)
    return [f"refilled: {loss.refillable} events are in their topics again, with new offsets"]


class _ProgressReport:
    """Progress on stderr, each state once."""

    def __init__(self) -> None:
        self._last = ""

    def report(self, now: RecoveryProgress) -> None:
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
