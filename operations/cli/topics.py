"""`qnt9 topics`: the topology, as the contracts have it and as the broker has it."""

import json
from pathlib import Path
from typing import Any

import click

from contracts.physical_topics import PhysicalTopic, physical_topics
from contracts.topics import TOPICS
from infra.kafka.admin import compare_topology, ensure_topology
from operations.cli.options import data_option
from operations.cli.runner import broker_settings
from operations.cli.tables import table


@click.command(epilog="Example: qnt9 topics --create")
@data_option
@click.option(
    "--create", is_flag=True, help="Create or change the broker's topics to match the contracts."
)
@click.option("--all", "everything", is_flag=True, help="Include redrive and dead-letter topics.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def topics(data: Path, *, create: bool, everything: bool, as_json: bool) -> None:
    """Compare the broker's topics with the contracts. Exit code 1 when they differ.

    Uses QNT9_KAFKA_BOOTSTRAP and its companions, else the system of --data.
    """
    settings = broker_settings(data)
    if create:
        ensure_topology(settings)
    lines = compare_topology(settings).lines()
    logical = {topic.name for topic in TOPICS}
    displayed = [t for t in physical_topics() if everything or as_json or t.name in logical]
    if as_json:
        answer = {"same": not lines, "differences": lines, "topics": [*map(_as_json, displayed)]}
        click.echo(json.dumps(answer, indent=2))
    else:
        heading = ("TOPIC", "PARTITIONS", "KEPT", "WRITTEN BY", "READ BY")
        click.echo(table([heading, *map(_row, displayed)], right=frozenset({1})))
        click.echo()
        click.echo("\n".join(lines) if lines else "the broker is as the contracts say")
    if lines:
        raise SystemExit(1)


def _row(topic: PhysicalTopic) -> tuple[str, ...]:
    return (
        topic.name,
        str(topic.partitions),
        f"{topic.retention.days} days" if topic.retention else "for ever",
        ", ".join(sorted(topic.writers)) or "operator",
        ", ".join(sorted(group for _, group in topic.readers)) or "operator",
    )


def _as_json(topic: PhysicalTopic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "partitions": topic.partitions,
        "retention_days": topic.retention.days if topic.retention else None,
        "writers": sorted(topic.writers),
        "groups": sorted(group for _, group in topic.readers),
    }
