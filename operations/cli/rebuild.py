"""`qnt9 rebuild`: what was made of the topics, made of them once more."""

from pathlib import Path

import click

from infra.runtime.settings import KafkaSettings
from operations.audit.rebuild import Extent, extent, read_again
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.runner import broker_settings, run
from operations.ops_events import By, this_operator
from operations.record_producer import Sender


@click.group(epilog="Example: qnt9 rebuild audit --dry-run")
def rebuild() -> None:
    """Make something once more of the topics."""


@rebuild.command(epilog="Example: qnt9 stop audit && qnt9 rebuild audit && qnt9 start audit")
@data_option
@click.option("--dry-run", is_flag=True, help="Count what would be read, and change nothing.")
@click.option("--reason", "--why", "reason", help="Why; it is kept in the audit log.")
def audit(data: Path, reason: str | None, *, dry_run: bool) -> None:
    """Let the audit worker, which must be stopped, read every event from the beginning.

    Rows that are missing come back, with their place in the chain; rows that are there stay as
    they are. Address and client come back for who was not erased. `qnt9 lag` shows how far it is,
    `qnt9 audit verify` what came of it.
    """
    found = run(_rebuilt(broker_settings(data), None if dry_run else this_operator(reason)))
    if dry_run:
        click.echo(f"{found.records} records; nothing was changed")
    else:
        click.echo(f"{found.records} records will be read when the audit worker starts")


async def _rebuilt(settings: KafkaSettings, by: By | None) -> Extent:
    async with Broker(settings) as broker:
        found = await extent(broker)
        if by:
            async with Sender(settings) as sender:
                await read_again(broker, sender, found, by)
        return found
