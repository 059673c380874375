"""`qnt9 audit`: what happened, for people, and whether the record of it is whole."""

import json
import os
from pathlib import Path
from typing import Any

import click

from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.audit.checkpoints import CheckpointChecker, CheckpointError
from infra.runtime.settings import AuditKeys, KafkaSettings, PostgresSettings
from operations.audit.checkpoints import newest
from operations.broker import Broker
from operations.cli.audit_list import list_rows
from operations.cli.audit_report import facts, summary, verified
from operations.cli.options import data_option, fail
from operations.cli.runner import loaded, run
from operations.cli.target import point_at


@click.group(epilog="Example: qnt9 audit list --limit 20")
def audit() -> None:
    """The audit log."""


audit.add_command(list_rows)


@audit.command(epilog="Example: qnt9 audit verify --checkpoints kept-elsewhere.jws")
@data_option
@click.option(
    "--checkpoints",
    "kept",
    type=click.File("r"),
    help="Checkpoints that were kept elsewhere, a line each, besides those on the topic.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="Without Kafka: only what the checkpoints of --checkpoints cover.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def verify(data: Path, kept: Any, *, offline: bool, as_json: bool) -> None:
    """Verify the audit log, or name what is wrong.

    Computes the hash of every row, follows every chain to its end, and checks that checkpoints,
    verified with QNT9_AUDIT_PUBLIC_KEY, are a part of it. Compares every row with its record,
    address and client with the payload, and every record that the audit worker has read with its
    row. Exit code 1 if something is wrong.
    """
    here = point_at(data, *(() if offline else ("QNT9_KAFKA_BOOTSTRAP",)), "QNT9_POSTGRES_DSN")
    postgres = loaded(PostgresSettings)
    kafka = None if offline else loaded(KafkaSettings)
    lines = [line.strip() for line in kept or () if line.strip()]
    report = run(verified(kafka, postgres, _checker(data, here=here), lines))
    if as_json:
        click.echo(json.dumps(facts(report), default=str, indent=2))
    else:
        for fault in report.faults:
            click.echo(fault, err=True)
        click.echo(summary(report))
    if not report.whole:
        raise SystemExit(1)


@audit.command(epilog="Example: qnt9 audit checkpoint >> kept-elsewhere.jws")
@data_option
def checkpoint(data: Path) -> None:
    """Print the newest checkpoint, to store outside of this system."""
    here = point_at(data, "QNT9_KAFKA_BOOTSTRAP")
    settings, checker = loaded(KafkaSettings), _checker(data, here=here)
    signed = run(_newest_checkpoint(settings))
    if not signed:
        raise fail("there is no checkpoint yet; the audit worker makes one every few minutes")
    try:
        found = checker.check(signed)
    except CheckpointError as error:
        raise fail(f"the newest checkpoint: {error}") from error
    click.echo(f"{found.at}  {found.entries} entries  root {found.root.hex()}", err=True)
    click.echo(signed)


def _checker(data: Path, *, here: bool) -> CheckpointChecker:
    """With the keys of the environment, or of the system of --data where that is looked at."""
    name = "QNT9_AUDIT_PUBLIC_KEY"
    if here and name not in os.environ and f"{name}_FILE" not in os.environ:
        os.environ[name] = load_or_create(Layout(data)).keys[name]
    return CheckpointChecker(loaded(AuditKeys).public_keys)


async def _newest_checkpoint(settings: KafkaSettings) -> str:
    async with Broker(settings) as broker:
        return next(iter(await newest(broker, 1)), "")
