"""`qnt9 tail`: messages as they come."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from infra.runtime.settings import KafkaSettings
from operations.broker import Broker
from operations.cli.offset_options import POINT
from operations.cli.options import check_type, data_option
from operations.cli.runner import broker_settings, run
from operations.cli.tables import wrapped
from operations.errors import TurnedRoundError
from operations.redaction import Displayed, Wanted, show
from operations.replay.offset_ranges import resolve
from operations.replay.offset_spec import BEGINNING, Moment, Point


class HeaderType(click.ParamType[tuple[str, str]]):
    """NAME=TEXT."""

    name = "NAME=TEXT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not NAME=TEXT, such as ce_source=urn:qnt9:relay", param, ctx)
        return name, text


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the command."""

    topic: str
    begin: Point | None
    until_end: bool
    wanted: Wanted
    limit: int | None
    as_json: bool


@click.command(epilog="Example: qnt9 tail users.events --from 10m --type user.signed_up")
@click.argument("topic")
@data_option
@click.option(
    "--from",
    "begin",
    type=POINT,
    help="Offset, time, or age such as 10m. Default: now; with --until-end the beginning.",
)
@click.option("--until-end", is_flag=True, help="Show the present messages, then exit.")
@click.option("--type", "only_type", help="Only this type: user.signed_up, or in full.")
@click.option("--key", "only_key", help="Only records with this key.")
@click.option("--correlation-id", help="Only what one request caused.")
@click.option(
    "--header", "headers", type=HeaderType(), multiple=True, help="Only with this header."
)
@click.option("--text", help="Only with this text in key, headers or data, as shown.")
@click.option(
    "--limit", type=click.IntRange(1), help="Stop after this many. Default: until Ctrl-C."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line, for scripts."
)
def tail(  # noqa: PLR0917 - click passes them by name
    topic: str,
    data: Path,
    begin: Point | None,
    until_end: bool,
    only_type: str | None,
    only_key: str | None,
    correlation_id: str | None,
    headers: tuple[tuple[str, str], ...],
    text: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show the decoded messages of TOPIC as they arrive.

    Personal and sealed values are never shown in clear, and cannot be searched.
    No offsets move.
    """
    check_type(only_type, topic)
    wanted = Wanted(only_type, only_key, correlation_id, headers, text)
    asked = Asked(topic, begin, until_end, wanted, limit, as_json)
    run(_tail(broker_settings(data), asked), when_stopped="", code=0)


async def _tail(settings: KafkaSettings, asked: Asked) -> None:
    displayed = 0
    async with Broker(settings) as broker, aclosing(_records(broker, asked)) as records:
        async for record in records:
            if not asked.wanted.matches(record):
                continue
            each = show(record)
            click.echo(_as_json(each) if asked.as_json else wrapped(line_of(each)))
            displayed += 1
            if displayed == asked.limit:
                return


async def _records(broker: Broker, asked: Asked) -> AsyncGenerator[Any, None]:
    """What is there from the beginning of the range on, then what comes, if that is wanted."""
    end = Moment(int(datetime.now(UTC).timestamp() * 1000) + 1)
    begin = asked.begin or (BEGINNING if asked.until_end else end)
    if not asked.until_end:
        resolved = await resolve(broker, asked.topic, begin, begin)
        starts = {each.partition: each.start for each in resolved.ranges}
        async with aclosing(broker.follow(asked.topic, starts)) as records:
            async for record in records:
                yield record
        return
    try:
        ranges = (await resolve(broker, asked.topic, begin, end)).ranges
    except TurnedRoundError as error:
        raise click.UsageError(str(error)) from error
    async for batch in broker.read(asked.topic, ranges):
        for record in batch.records:
            yield record


def line_of(displayed: Displayed) -> str:
    """Time, place, type, key, data: a message on one line."""
    when = f"{displayed.time:%Y-%m-%d %H:%M:%S}.{displayed.time.microsecond // 1000:03}"
    what = displayed.type or "?"
    body = json.dumps(displayed.data, ensure_ascii=False)
    problem = f"  UNREADABLE: {displayed.problem}" if displayed.problem else ""
    key = f"key={displayed.key}" if displayed.key is not None else "no key"
    return f"{when}  {displayed.partition}:{displayed.offset}  {what}  {key}  {body}{problem}"


def _as_json(displayed: Displayed) -> str:
    return json.dumps(asdict(displayed), default=str, ensure_ascii=False)
