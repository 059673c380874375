"""`qnt9 consumers`: who is paused and why, and what becomes of records that hold one up."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from infra.messaging.consumer_controls import Action
from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations import consumers as ops
from operations.broker import Broker
from operations.cli.options import data_option
from operations.cli.runner import both_settings, run
from operations.cli.tables import table, wrapped
from operations.consumers import CONSUMERS, Choice, Found, State
from operations.database import open_database
from operations.ops_events import OperatorContext, this_operator
from operations.record_producer import Sender

Settings = tuple[KafkaSettings, PostgresSettings]
NAME = click.Choice(sorted(CONSUMERS))

reason_option = click.option("--reason", required=True, help="Your reason, for the audit log.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Count the records, and change nothing."
)


@click.group(epilog="Example: qnt9 consumers show watchlist")
def consumers() -> None:
    """Consumers: show and end pauses, skip or dead-letter records."""


@consumers.command(epilog="Example: qnt9 consumers show watchlist --json")
@click.argument("name", type=NAME, required=False)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def show(name: str | None, data: Path, *, as_json: bool) -> None:
    """Show whether a consumer is paused, its lag, and its instructions."""
    found = run(_states(both_settings(data), [name] if name else sorted(CONSUMERS)))
    if as_json:
        click.echo(json.dumps([_json(state) for state in found], indent=2, default=repr))
        return
    rows = [("CONSUMER", "STATE", "WAITING", "FIRST BY PARTITION")]
    rows += [_row(state) for state in found]
    click.echo(table(rows, right=frozenset({2})))
    for state in found:
        for each in state.instructions:
            of = f"{each.topic}:{each.partition} from {each.first} before {each.until}"
            only = "".join(
                f", only {what} {value}"
                for what, value in (("type", each.type), ("key", each.key and each.key.decode()))
                if value is not None
            )
            text = f"{state.consumer.name}: {each.action} {of}{only} ({each.operator}: "
            click.echo(wrapped(f"{text}{each.reason})"))


@consumers.command(epilog="Example: qnt9 consumers resume watchlist --reason 'fixed in 1.4.2'")
@click.argument("name", type=NAME)
@data_option
@reason_option
@dry_run_option
def resume(name: str, data: Path, reason: str, *, dry_run: bool) -> None:
    """End a pause now instead of waiting for the consumer's next probe.

    If the handler still fails for many senders, the consumer pauses again.
    """
    by = _by(reason)
    was_paused = run(_resume(both_settings(data), name, by, dry_run=dry_run))
    if not was_paused:
        click.echo(f"{name} is not paused")
    else:
        click.echo(f"{name} would be resumed" if dry_run else f"{name} resumes within seconds")


@consumers.command(
    epilog="Example: qnt9 consumers skip watchlist watchlist.commands --partition 3 --from 1041 "
    "--before 1042 --reason 'cannot be handled' --dry-run"
)
@click.argument("name", type=NAME)
@click.argument("topic")
@data_option
@click.option("--partition", type=click.IntRange(0), required=True, help="Of the topic.")
@click.option("--from", "first", type=click.IntRange(0), required=True, help="The first offset.")
@click.option("--before", type=click.IntRange(1), required=True, help="The offset after the last.")
@reason_option
@dry_run_option
def skip(  # noqa: PLR0917  # click passes them by name
    name: str,
    topic: str,
    data: Path,
    partition: int,
    first: int,
    before: int,
    reason: str,
    dry_run: bool,
) -> None:
    """Skip unread records permanently.

    They are neither executed nor dead-lettered. A command among them fails with the code
    `discarded`.
    """
    choice = Choice(topic, partition, first, before)
    _instruct(both_settings(data), name, "skip", choice, reason, dry_run=dry_run)


@consumers.command(
    "set-aside",
    epilog="Example: qnt9 consumers set-aside watchlist --key 01a2… --reason 'a bad client' "
    "--dry-run",
)
@click.argument("name", type=NAME)
@click.argument("topic", required=False)
@data_option
@click.option("--partition", type=click.IntRange(0), help="Only this partition.")
@click.option("--from", "first", type=click.IntRange(0), help="Only from this offset.")
@click.option("--before", type=click.IntRange(1), help="Only before this offset.")
@click.option("--type", "type_", help="Only this type, in full.")
@click.option("--key", help="Only records with this key.")
@reason_option
@dry_run_option
def set_aside(  # noqa: PLR0917  # click passes them by name
    name: str,
    topic: str | None,
    data: Path,
    partition: int | None,
    first: int | None,
    before: int | None,
    type_: str | None,
    key: str | None,
    reason: str,
    dry_run: bool,
) -> None:
    """Turn waiting records into dead letters.

    They are not executed. `qnt9 dlq redrive` sends them again, `qnt9 dlq discard` discards them.
    """
    choice = Choice(topic, partition, first, before, type_, key)
    _instruct(both_settings(data), name, "set-aside", choice, reason, dry_run=dry_run)


def _instruct(
    settings: Settings, name: str, action: Action, choice: Choice, reason: str, *, dry_run: bool
) -> None:
    found = run(_found(settings, name, action, choice, _by(reason), dry_run=dry_run))
    for each in found.instructions:
        click.echo(f"{each.topic}:{each.partition} from {each.first} before {each.until}")
    done = {"skip": "skipped", "set-aside": "set aside"}[action]
    click.echo(f"{found.records:,} records {'would be' if dry_run else 'will be'} {done}")
    if dry_run or not found.records:
        click.echo("nothing was changed")


def _by(reason: str) -> OperatorContext:
    if not reason.strip():
        raise click.BadParameter("must say something", param_hint="--reason")
    return this_operator(reason)


async def _states(settings: Settings, names: list[str]) -> list[State]:
    async with Broker(settings[0]) as broker, open_database(settings[1]) as pool:
        return await ops.states(broker, pool, names)


async def _resume(settings: Settings, name: str, by: OperatorContext, *, dry_run: bool) -> bool:
    async with Broker(settings[0]) as broker, open_database(settings[1]) as pool:
        if dry_run:
            [state] = await ops.states(broker, pool, [name])
            return state.pause is not None
        async with Sender(settings[0]) as sender:
            return await ops.resume(pool, sender, CONSUMERS[name], by)


async def _found(
    settings: Settings,
    name: str,
    action: Action,
    choice: Choice,
    by: OperatorContext,
    *,
    dry_run: bool,
) -> Found:
    consumer = CONSUMERS[name]
    async with Broker(settings[0]) as broker, open_database(settings[1]) as pool:
        found = await ops.find(broker, consumer, action, choice, by)
        if found.records and not dry_run:
            async with Sender(settings[0]) as sender:
                await ops.instruct(pool, sender, consumer, found, by)
        return found


def _row(state: State) -> tuple[str, str, str, str]:
    pause = f"paused since {state.pause.since}: {state.pause.reason}" if state.pause else "runs"
    first = "  ".join(f"{e.topic}:{e.partition}:{e.end - e.lag}" for e in state.lags if e.lag)
    return state.consumer.name, pause, str(sum(each.lag for each in state.lags)), first


def _json(state: State) -> dict[str, Any]:
    return {
        "consumer": state.consumer.name,
        "paused": asdict(state.pause) if state.pause else None,
        "instructions": [asdict(each) for each in state.instructions],
        "partitions": [asdict(each) for each in state.lags],
    }
