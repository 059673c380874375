"""`qnt9 audit`: what happened, for people, and whether the record of it is whole."""

import json
import os
from pathlib import Path
from typing import Any

import click

from infra.audit.checkpoints import CheckpointChecker, CheckpointError
from infra.audit.verification import Report, Verifier
from infra.cli.audit_list import list_rows
from infra.cli.operating import Progress, loaded, run
from infra.cli.options import data_option, fail
from infra.cli.target import point_at
from infra.embedded.credentials import load_or_create
from infra.embedded.layout import Layout
from infra.ops.broker import Broker
from infra.ops.checkpoints import checked, newest
from infra.ops.database import open_connection
from infra.settings import AuditKeys, KafkaSettings, PostgresSettings


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
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def verify(data: Path, kept: Any, *, as_json: bool) -> None:
    """Prove the log whole, or name the first bad row of each chain.

    Every row is hashed again, every chain followed to its end, and checkpoints must be a part of
    it. They are checked with QNT9_AUDIT_PUBLIC_KEY. Exit code 1 when something is wrong.
    """
    here = point_at(data, "QNT9_KAFKA_BOOTSTRAP", "QNT9_POSTGRES_DSN")
    kafka, postgres = loaded(KafkaSettings), loaded(PostgresSettings)
    lines = [line.strip() for line in kept or () if line.strip()]
    report = run(_verified(kafka, postgres, _checker(data, here=here), lines))
    if as_json:
        click.echo(json.dumps(_facts(report), default=str, indent=2))
    else:
        for fault in report.faults:
            click.echo(fault, err=True)
        click.echo(_summary(report))
    if not report.whole:
        raise SystemExit(1)


@audit.command(epilog="Example: qnt9 audit checkpoint >> kept-elsewhere.jws")
@data_option
def checkpoint(data: Path) -> None:
    """Print the newest checkpoint, to be kept where whoever rules this system cannot reach it."""
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


async def _verified(
    kafka: KafkaSettings, postgres: PostgresSettings, checker: CheckpointChecker, kept: list[str]
) -> Report:
    async with Broker(kafka) as broker:
        signed = kept + await newest(broker)
    async with open_connection(postgres, command_seconds=None) as conn:
        total = await conn.fetchval("SELECT coalesce(sum(length), 0)::bigint FROM audit_heads")
        faults: list[str] = []
        with Progress("verified", total) as progress:
            report = await Verifier().verify(conn, checked(signed, checker, faults), progress.seen)
        report.faults[:0] = faults
        return report


async def _newest_checkpoint(settings: KafkaSettings) -> str:
    async with Broker(settings) as broker:
        return next(iter(await newest(broker, 1)), "")


def _facts(report: Report) -> dict[str, Any]:
    last = report.newest
    return {
        "whole": report.whole,
        "entries": report.entries,
        "chains": report.chains,
        "checkpoints": report.checkpoints,
        "newest_checkpoint": last
        and {"at": last.at, "entries": last.entries, "root": last.root.hex()},
        "faults": report.faults,
    }


def _summary(report: Report) -> str:
    looked = f"{report.entries:,} entries in {report.chains} chains"
    if not report.whole:
        return f"NOT whole: {len(report.faults)} faults; {looked} are as they were recorded"
    signed = "no checkpoint yet"
    if last := report.newest:
        count = f"{report.checkpoints:,} checkpoint{'s' if report.checkpoints > 1 else ''}"
        signed = f"{count}, the newest of {last.at:%Y-%m-%d %H:%M:%S}"
    return f"whole: {looked}; {signed}"
