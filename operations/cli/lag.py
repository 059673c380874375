"""`qnt9 lag`: who is behind, and by how much."""

import json
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click

from infra.runtime.settings import KafkaSettings
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.runner import broker_settings, run
from operations.cli.tables import table
from operations.lag import Lag, measure


@click.command(epilog="Example: qnt9 lag --json | jq '[.[].lag] | add'")
@data_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per partition, for scripts."
)
def lag(data: Path, as_json: bool) -> None:
    """Show how far each consumer group is behind, by partition.

    Groups of the system are shown for all topics that they read, other groups for topics with
    committed offsets. A group that lags and has no members has no running process.
    """
    found = run(_measured(broker_settings(data)))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    rows = [("GROUP", "MEMBERS", "TOPIC", "LAG", "BY PARTITION")]
    for (group, topic), of_topic in groupby(found, lambda each: (each.group, each.topic)):
        parts = list(of_topic)
        if topic.endswith(".redrive") and not sum(each.lag for each in parts):
            continue
        rows.append(_row(group, topic, parts))
    click.echo(table(rows, right=frozenset({1, 3})))
    for group in dict.fromkeys(each.group for each in found if each.lag and not each.members):
        click.echo(f"{group} has no members: no process reads its topics", err=True)


async def _measured(settings: KafkaSettings) -> list[Lag]:
    async with Broker(settings) as broker:
        return await measure(broker)


def _row(group: str, topic: str, parts: list[Lag]) -> tuple[str, str, str, str, str]:
    total = sum(each.lag for each in parts)
    spread = "  ".join(f"{each.partition}:{each.lag}" for each in parts) if total else ""
    return group, str(parts[0].members), topic, str(total), spread
