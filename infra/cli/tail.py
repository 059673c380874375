"""`qnt9 tail`: messages as they come."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from infra.cli.operating import broker_settings, run
from infra.cli.options import data_option
from infra.cli.points import POINT
from infra.ops.broker import Broker
from infra.ops.points import Moment, Point
from infra.ops.ranges import resolve
from infra.ops.shown import Shown, matches, show
from infra.settings import KafkaSettings


@click.command(epilog="Example: qnt9 tail users.events --from 10m --type user.signed_up")
@click.argument("topic")
@data_option
@click.option("--from", "begin", type=POINT, help="Offset, time, or age such as 10m. Default: now.")
@click.option("--type", "only_type", help="Only this type: user.signed_up, or in full.")
@click.option("--key", "only_key", help="Only records with this key.")
@click.option("--limit", type=click.IntRange(1), help="End after so many. Default: Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One object a line, for scripts.")
def tail(  # noqa: PLR0917 - click passes them by name
    topic: str,
    data: Path,
    begin: Point | None,
    only_type: str | None,
    only_key: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show the messages of TOPIC, decoded, as they come.

    Personal and sealed values are shown as what they are, never in clear. Nobody's offsets move.
    """
    chosen = {"type_": only_type, "key": only_key}
    run(
        _tail(broker_settings(data), topic, begin, chosen, limit, as_json=as_json),
        when_stopped="",
        code=0,
    )


async def _tail(
    settings: KafkaSettings,
    topic: str,
    begin: Point | None,
    chosen: dict[str, str | None],
    limit: int | None,
    *,
    as_json: bool,
) -> None:
    shown = 0
    async with Broker(settings) as broker, aclosing(_records(broker, topic, begin)) as records:
        async for record in records:
            if not matches(record, type_=chosen["type_"], key=chosen["key"]):
                continue
            click.echo(_as_json(show(record)) if as_json else line_of(show(record)))
            shown += 1
            if shown == limit:
                return


async def _records(broker: Broker, topic: str, begin: Point | None) -> AsyncGenerator[Any, None]:
    now = datetime.now(UTC)
    end = Moment(int(now.timestamp() * 1000) + 1)
    ranges = await resolve(broker, topic, begin or end, end)
    async with aclosing(broker.follow(topic, {r.partition: r.start for r in ranges})) as records:
        async for record in records:
            yield record


def line_of(shown: Shown) -> str:
    """Time, place, type, key, data: a message on one line."""
    when = f"{shown.time:%Y-%m-%d %H:%M:%S}.{shown.time.microsecond // 1000:03}"
    what = shown.type or "?"
    body = json.dumps(shown.data, ensure_ascii=False)
    problem = f"  UNREADABLE: {shown.problem}" if shown.problem else ""
    key = f"key={shown.key}" if shown.key is not None else "no key"
    return f"{when}  {shown.partition}:{shown.offset}  {what}  {key}  {body}{problem}"


def _as_json(shown: Shown) -> str:
    return json.dumps(asdict(shown), default=str, ensure_ascii=False)
