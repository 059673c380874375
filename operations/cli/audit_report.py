"""What `qnt9 audit verify` reports."""

from typing import Any

from infra.audit.checkpoints import CheckpointChecker
from infra.postgres.pool import Connection
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.audit.checkpoints import checked, newest
from operations.audit.records import compare, compare_payloads
from operations.audit.verification import Report, Verifier
from operations.broker import Broker
from operations.cli.runner import Progress
from operations.database import open_connection

DISPLAYED = 10
"""Of chains with unproven entries, so many are named."""


async def verified(
    kafka: KafkaSettings | None,
    postgres: PostgresSettings,
    checker: CheckpointChecker,
    kept: list[str],
) -> Report:
    """The chains against the checkpoints, and the rows against Kafka, if it is at hand."""
    faults: list[str] = []
    if kafka is None:
        async with open_connection(postgres) as conn:
            report = await _chains(conn, checker, kept, faults)
            found = await compare_payloads(conn)
    else:
        async with Broker(kafka) as broker, open_connection(postgres) as conn:
            signed = kept + await newest(broker)
            report = await _chains(conn, checker, signed, faults)
            with Progress("compared", 2 * report.entries) as progress:
                found = await compare(broker, conn, progress.seen)
    report.rows, report.records = found.rows, found.records
    report.compared = kafka is not None
    report.faults[:0] = faults
    report.faults += found.faults
    return report


async def _chains(
    conn: Connection, checker: CheckpointChecker, signed: list[str], faults: list[str]
) -> Report:
    total = await conn.fetchval("SELECT coalesce(sum(length), 0)::bigint FROM audit_heads")
    with Progress("verified", total) as progress:
        return await Verifier().verify(conn, checked(signed, checker, faults), progress.seen)


def facts(report: Report) -> dict[str, Any]:
    """Print JSON for scripts."""
    last = report.newest
    return {
        "whole": report.whole,
        "entries": report.entries,
        "chains": report.chains,
        "checkpoints": report.checkpoints,
        "newest_checkpoint": last
        and {"at": last.at, "entries": last.entries, "root": last.root.hex()},
        "compared_with_kafka": report.compared,
        "rows_compared": report.rows,
        "records_compared": report.records,
        "entries_after_checkpoints": report.count_unproven(),
        "unproven": {} if report.compared else report.unproven,
        "unproven_columns": [] if report.compared else ["recorded_at"],
        "unproven_removals": not report.compared,
        "faults": report.faults,
    }


def summary(report: Report) -> str:
    """In words."""
    looked = f"{report.entries:,} entries in {report.chains} chains"
    if not report.whole:
        first = f"NOT whole: {len(report.faults)} faults; {looked} are as they were recorded"
    else:
        signed = "no checkpoint yet"
        if last := report.newest:
            count = f"{report.checkpoints:,} checkpoint{'s' if report.checkpoints > 1 else ''}"
            signed = f"{count}, the newest of {last.at:%Y-%m-%d %H:%M:%S}"
        first = f"whole: {looked}; {signed}"
    if report.compared:
        return f"{first}\ncompared with Kafka: {report.rows:,} rows, {report.records:,} records"
    return "\n".join([first, *_unproven(report)])


def _unproven(report: Report) -> list[str]:
    """What a verification without Kafka cannot tell."""
    lines = ["not compared with Kafka: that nothing is missing or slipped in is proven for entries"]
    lines[0] += " that a checkpoint covers, and for no others"
    chains = sorted(report.unproven.items())
    lines += [f"unproven: {name}, entries {a} to {b}" for name, (a, b) in chains[:DISPLAYED]]
    if len(chains) > DISPLAYED:
        lines.append(f"unproven: {len(chains) - DISPLAYED} more chains, see --json")
    lines.append("unproven: recorded_at of every entry, which is the time of its record in Kafka")
    lines.append("unproven: entries that were recorded after the last checkpoint and removed")
    return lines
