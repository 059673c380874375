"""`qnt9 replay`: a bounded range of a topic again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from infra.runtime.settings import KafkaSettings
from operations.broker import Broker, Range
from operations.cli.options import check_type, data_option
from operations.cli.runner import Progress, broker_settings, run
from operations.cli.tables import table
from operations.errors import TurnedRoundError
from operations.ops_events import OperatorContext, this_operator
from operations.record_producer import Sender
from operations.redaction import Wanted
from operations.replay import executor as replays
from operations.replay.guards import check_group, check_source, check_topic
from operations.replay.offset_ranges import Chooses, count, resolve
from operations.replay.offset_spec import Point, ends_before, point_of
from operations.replay.request import ReplayRequest, Run

HELP = """Replay a range of TOPIC to a group or a topic of your own.

T is a time (2026-11-03T03:00Z; without a zone it is UTC), an age (90m, 2h, 7d), `now` or
`beginning`; a bare number is an offset, the same in each partition. A time stands for the
first record that is not older.

--to-topic copies records unchanged, with their times, and adds the headers qnt9_replay_topic,
_partition, _offset and _run. It creates a missing topic with as many partitions; you delete it
afterwards. If the command was killed, run it again to continue after what the broker has
acknowledged; other records may be there twice. A finished copy is not repeated for seven days,
unless you give --again.

--to-group is for projections: it sets the group's offsets to the start of the range. The end is
printed and stored in the committed offsets of the group qnt9.ops.until.GROUP: read each
partition up to that offset. A group reads everything, so --type, --key and --partition cannot
be used with it.

A replay moves no group of the system and reaches none of its consumers, so no mail is sent
again. Command topics are refused: send failed commands again with `qnt9 dlq redrive`.
"""
STOPPED = "stopped; acknowledged records are noted: run the same command again to continue"


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the command."""

    request: ReplayRequest
    dry_run: bool
    rate: float | None
    again: bool
    as_json: bool
    by: OperatorContext
    now: datetime

    @property
    def points(self) -> tuple[Point, Point]:
        """Raises `ValueError`."""
        return point_of(self.request.begin, self.now), point_of(self.request.end, self.now)

    @property
    def chooses(self) -> Chooses | None:
        wanted = Wanted(type=self.request.only_type, key=self.request.only_key)
        return None if wanted.is_anything else wanted.matches


@click.command(
    help=HELP,
    epilog="Example: qnt9 replay users.events --from 2026-11-03T02:00Z --to 2026-11-03T03:00Z "
    "--to-topic trial.users --dry-run",
)
@click.argument("topic")
@data_option
@click.option("--from", "begin", required=True, metavar="T|OFFSET", help="The start of the range.")
@click.option(
    "--to",
    "end",
    default="now",
    show_default=True,
    metavar="T|OFFSET",
    help="The exclusive end of the range.",
)
@click.option("--partition", "partitions", type=int, multiple=True, help="Only these partitions.")
@click.option("--type", "only_type", help="Only this type: user.signed_up, or in full.")
@click.option("--key", "only_key", help="Only records with this key.")
@click.option("--to-group", "group", help="Set this new group to the start of the range.")
@click.option("--to-topic", "copy_to", help="Copy the records to this topic.")
@click.option("--dry-run", is_flag=True, help="Count the records in the range, and change nothing.")
@click.option(
    "--again", is_flag=True, help="Copy again although the same command has finished before."
)
@click.option("--rate", type=click.FloatRange(min=0.1), help="At most this many records a second.")
@click.option("--reason", "--why", "reason", help="Your reason, for the audit log.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def replay(  # noqa: PLR0917 - click passes them by name
    topic: str,
    data: Path,
    begin: str,
    end: str,
    partitions: tuple[int, ...],
    only_type: str | None,
    only_key: str | None,
    group: str | None,
    copy_to: str | None,
    dry_run: bool,
    again: bool,
    rate: float | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Replay a range of a topic, as `HELP` says."""
    asked = Asked(
        ReplayRequest(
            topic,
            begin,
            end,
            to_topic=copy_to,
            to_group=group,
            partitions=tuple(sorted(partitions)),
            only_type=only_type,
            only_key=only_key,
        ),
        dry_run,
        rate,
        again,
        as_json,
        this_operator(reason),
        datetime.now(UTC),
    )
    _check_words(asked)
    run(_replay(broker_settings(data), asked), when_stopped=STOPPED)


def _check_words(asked: Asked) -> None:
    for option, text in (("--from", asked.request.begin), ("--to", asked.request.end)):
        try:
            point_of(text, asked.now)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from error
    if ends_before(*asked.points):
        raise click.UsageError(
            f"the range ends before it begins: "
            f"--from {asked.request.begin} --to {asked.request.end}"
        )
    check_type(asked.request.only_type, asked.request.topic)
    if asked.request.to_group and asked.request.to_topic:
        raise click.UsageError("--to-group or --to-topic, not both")
    if not (asked.request.to_group or asked.request.to_topic or asked.dry_run):
        raise click.UsageError("--to-group or --to-topic is needed, or --dry-run to count only")
    if asked.request.to_group and (asked.chooses or asked.request.partitions):
        raise click.UsageError(
            "a group reads everything in its range: --type, --key and --partition need --to-topic"
        )


async def _replay(settings: KafkaSettings, asked: Asked) -> None:
    request = asked.request
    check_source(request.topic)
    if asked.request.to_topic:
        check_topic(asked.request.to_topic, request.topic)
    if asked.request.to_group:
        check_group(asked.request.to_group)
    async with Broker(settings) as broker:
        before = await replays.begun(broker, request)
        if before and before.finished:
            if not asked.again:
                _say_finished(asked, before)
                return
            before = None
        ranges = before.left if before else await _ranges(broker, asked)
        counts = await _counted(broker, asked, ranges)
        if before:
            click.echo(f"going on with run {before.id}: {before.records_sent:,} are done", err=True)
        if asked.dry_run or not (before or sum(counts.values())):
            _print_counts(asked, ranges, counts)
            return
        async with Sender(settings) as sender:
            current = before or Run.of(ranges)
            if asked.request.to_group:
                await _to_group(broker, sender, asked, current, counts)
            else:
                await _to_topic(broker, sender, asked, current, counts)


async def _ranges(broker: Broker, asked: Asked) -> list[Range]:
    try:
        resolved = await resolve(
            broker, asked.request.topic, *asked.points, asked.request.partitions
        )
    except TurnedRoundError as error:
        raise click.UsageError(str(error)) from error
    for each in resolved.clipped:
        click.echo(f"the range was cut: {each}", err=True)
    return resolved.ranges


def _say_finished(asked: Asked, run: Run) -> None:
    request = asked.request
    said = (
        f"finished before: {run.records_sent:,} records of {request.topic} are in "
        f"{request.to_topic}; "
        "nothing was copied (--again copies once more)"
    )
    answer = {"run": str(run.id), "records": run.records_sent, "topic": request.to_topic}
    _say(asked, {**answer, "finished_before": True}, said)


async def _counted(broker: Broker, asked: Asked, ranges: Sequence[Range]) -> dict[int, int]:
    total = sum(each.until - each.start for each in ranges)
    with Progress("counting:", total) as progress:
        return await count(broker, asked.request.topic, ranges, asked.chooses, progress.seen)


async def _to_topic(
    broker: Broker, sender: Sender, asked: Asked, current: Run, counts: dict[int, int]
) -> None:
    total = current.records_sent + sum(counts.values())
    with Progress("copied", total, current.records_sent) as progress:
        ended = await replays.copy(
            broker,
            sender,
            asked.request,
            current,
            chooses=asked.chooses,
            rate=asked.rate,
            seen=progress.seen,
        )
    await replays.finish(
        broker, sender, asked.request, ended, by=asked.by, records=ended.records_sent
    )
    said = (
        f"{ended.records_sent:,} records of {asked.request.topic} are in {asked.request.to_topic}"
    )
    _say(
        asked,
        {"run": str(ended.id), "records": ended.records_sent, "topic": asked.request.to_topic},
        said,
    )


async def _to_group(
    broker: Broker, sender: Sender, asked: Asked, current: Run, counts: dict[int, int]
) -> None:
    assert asked.request.to_group
    await replays.put_before(broker, asked.request, current)
    records = sum(counts.values())
    await replays.finish(broker, sender, asked.request, current, by=asked.by, records=records)
    ends = {str(each.partition): each.until for each in current.ranges}
    rows = [("PARTITION", "STANDS AT", "READ UP TO", "RECORDS")] + [
        (str(r.partition), str(r.start), str(r.until), f"{r.until - r.start:,}")
        for r in current.ranges
    ]
    said = (
        f"{table(rows, right=frozenset({0, 1, 2, 3}))}\n\n{records:,} records lie before "
        f"{asked.request.to_group}; where to stop is also in the offsets of "
        f"{replays.UNTIL_PREFIX}{asked.request.to_group}"
    )
    answer = {
        "run": str(current.id),
        "records": records,
        "group": asked.request.to_group,
        "ends": ends,
    }
    _say(asked, answer, said)


def _print_counts(asked: Asked, ranges: Sequence[Range], counts: dict[int, int]) -> None:
    total = sum(counts.values())
    rows = [("PARTITION", "FROM", "BEFORE", "RECORDS")] + [
        (str(r.partition), str(r.start), str(r.until), f"{counts[r.partition]:,}") for r in ranges
    ]
    parts = [
        {"partition": r.partition, "from": r.start, "before": r.until, "records": c}
        for r, c in zip(ranges, counts.values(), strict=True)
    ]
    said = f"{table(rows, right=frozenset({0, 1, 2, 3}))}\n\n{total:,} records; nothing was changed"
    _say(asked, {"records": total, "partitions": parts}, said)


def _say(asked: Asked, answer: dict[str, object], text: str) -> None:
    click.echo(json.dumps(answer, indent=2) if asked.as_json else text)
