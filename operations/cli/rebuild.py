"""`qnt9 rebuild`: what was made of the topics, made of them once more."""

from pathlib import Path

import click

from infra.runtime.settings import KafkaSettings
from operations.audit.rebuild import Extent, extent, read_again
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.runner import broker_settings, run
from operations.ops_events import OperatorContext, this_operator
from operations.record_producer import Sender


@click.group(epilog="Example: qnt9 rebuild audit --dry-run")
def rebuild() -> None:
    """Rebuild data from the topics."""


@rebuild.command(epilog="Example: qnt9 stop audit && qnt9 rebuild audit && qnt9 start audit")
@data_option
@click.option("--dry-run", is_flag=True, help="Count the records to read, and change nothing.")
@click.option("--reason", "--why", "reason", help="Your reason, for the audit log.")
def audit(data: Path, reason: str | None, *, dry_run: bool) -> None:
    """Let the stopped audit worker read every event again.

    Missing rows are added at their place in the chain; existing rows stay unchanged. Address and
    client are restored except for erased users. `qnt9 lag` shows the progress, `qnt9 audit verify`
    the result.
    """
    found = run(_rebuilt(broker_settings(data), None if dry_run else this_operator(reason)))
    if dry_run:
        click.echo(f"{found.records} records; nothing was changed")
    else:
        click.echo(f"{found.records} records will be read when the audit worker starts")


async def _rebuilt(settings: KafkaSettings, by: OperatorContext | None) -> Extent:
    async with Broker(settings) as broker:
        found = await extent(broker)
        if by:
            async with Sender(settings) as sender:
                await read_again(broker, sender, found, by)
        return found
