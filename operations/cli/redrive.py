"""`qnt9 dlq redrive` and `qnt9 dlq discard`."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.cli.dead_letter_ids import NUMBER
from operations.cli.dead_letter_options import Chosen, chosen, filter_options
from operations.cli.options import data_option, fail
from operations.cli.runner import Progress, both_settings, run
from operations.dead_letters import redrive as redrives
from operations.dead_letters.reports import Reports, reporting
from operations.dead_letters.repository import Office, opened
from operations.dead_letters.topic import Letter, Number
from operations.ops_events import By, this_operator
from operations.record_producer import Sender
from operations.replay.executor import Pace

Settings = tuple[KafkaSettings, PostgresSettings]
STOPPED = "stopped; what was done is marked: run the same command again for the rest"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters, and how."""

    verb: str
    numbers: tuple[Number, ...]
    chosen: Chosen
    dry_run: bool
    rate: float | None
    as_json: bool
    by: By


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where letters go, and where it is told."""

    sender: Sender
    reports: Reports


@dataclass
class Tally:
    """What became of the letters."""

    done: Counter[str] = field(default_factory=Counter)
    before: list[str] = field(default_factory=list)
    not_possible: list[str] = field(default_factory=list)

    def doubt(self, letters: list[Letter]) -> None:
        self.not_possible += [f"{each.number}: {redrives.DOUBTFUL}" for each in letters]


@click.command(epilog="Example: qnt9 dlq redrive --all --consumer watchlist --dry-run")
@click.argument("numbers", nargs=-1, type=NUMBER)
@data_option
@click.option(
    "--all", "everything", is_flag=True, help="All dead letters that the other options select."
)
@click.option("--topic", help="Only dead letters of this topic.")
@filter_options
@click.option("--reason", "--why", "reason", help="Your reason, for the audit log.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), help="At most this many dead letters a second."
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def redrive(  # noqa: PLR0917 - click passes them by name
    numbers: tuple[Number, ...],
    data: Path,
    everything: bool,
    topic: str | None,
    reason: str | None,
    rate: float | None,
    dry_run: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Send dead letters again to the consumers that failed.

    They go to <topic>.<consumer>.redrive with their ids, so a message that was executed meanwhile
    has no second effect. A dead letter is marked when Kafka has it, and is not listed any more. If
    the command was stopped, run it again to continue. A message that fails again becomes a new dead
    letter. An old dead letter whose command is not parked any more is not sent.
    """
    wanted = _chosen(numbers, topic, filters, everything=everything)
    asked = Asked("redriven", numbers, wanted, dry_run, rate, as_json, this_operator(reason))
    run(_deal(both_settings(data), asked), when_stopped=STOPPED)


@click.command(
    epilog="Example: qnt9 dlq discard watchlist.commands.watchlist:17-28 --reason 'a test client'"
)
@click.argument("numbers", nargs=-1, type=NUMBER)
@data_option
@click.option(
    "--all", "everything", is_flag=True, help="All dead letters that the other options select."
)
@click.option("--topic", help="Only dead letters of this topic.")
@filter_options
@click.option("--reason", "--why", "reason", required=True, help="Your reason, for the audit log.")
@click.option("--dry-run", is_flag=True, help="Print what would be discarded, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def discard(  # noqa: PLR0917 - click passes them by name
    numbers: tuple[Number, ...],
    data: Path,
    everything: bool,
    topic: str | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Discard dead letters permanently.

    A command among them fails with the code `discarded`. The dead letters stay in their topic, but
    are not listed any more.
    """
    if not reason.strip():
        raise click.UsageError("--reason must say something")
    wanted = _chosen(numbers, topic, filters, everything=everything)
    asked = Asked("discarded", numbers, wanted, dry_run, None, as_json, this_operator(reason))
    run(_deal(both_settings(data), asked), when_stopped=STOPPED)


def _chosen(
    numbers: tuple[Number, ...], topic: str | None, filters: dict[str, Any], *, everything: bool
) -> Chosen:
    if bool(numbers) == everything:
        raise click.UsageError("give the ids of dead letters, or --all")
    wanted = chosen(topic, **filters)
    if numbers and wanted.narrows:
        raise click.UsageError("--topic, --consumer, --failure and the like choose among --all")
    return wanted


async def _deal(settings: Settings, asked: Asked) -> None:
    async with opened(*settings) as office:
        await office.check(asked.numbers)
        tally = Tally()
        total = await _count(office, asked)
        if asked.dry_run:
            await _look(office, asked, tally)
        else:
            async with (
                Sender(settings[0]) as sender,
                reporting(office.pool, sender) as reports,
            ):
                await _deal_with(office, Outlet(sender, reports), asked, tally, total)
    _say(asked, tally)


async def _look(office: Office, asked: Asked, tally: Tally) -> None:
    async with aclosing(_letters(office, asked, tally)) as letters:
        async for batch in redrives.batches(letters):
            doubtful: list[Letter] = []
            if asked.verb == "redriven":
                async with office.pool.acquire() as conn:
                    doubtful = await redrives.doubtful(conn, batch)
            tally.doubt(doubtful)
            tally.done[batch[0].box.name] += len(batch) - len(doubtful)


async def _deal_with(
    office: Office, outlet: Outlet, asked: Asked, tally: Tally, total: int
) -> None:
    pace = Pace(asked.rate)
    at_once = redrives.AT_ONCE if asked.rate is None else max(1, int(asked.rate / 4))
    with Progress(asked.verb, total) as progress:
        async with aclosing(_letters(office, asked, tally)) as letters:
            async for batch in redrives.batches(letters, min(at_once, redrives.AT_ONCE)):
                await pace.wait_for(len(batch))
                event_id = await outlet.reports.event_for(batch[0].box, len(batch))
                act = redrives.redrive if asked.verb == "redriven" else redrives.discard
                dealt = await act(
                    office.pool, outlet.sender, batch[0].box, batch, asked.by, event_id=event_id
                )
                tally.done[batch[0].box.name] += len(dealt.done)
                tally.before += [
                    f"{each.number}: handled by another operator just now" for each in dealt.others
                ]
                tally.doubt(dealt.doubtful)
                progress.seen(len(batch))


async def _count(office: Office, asked: Asked) -> int:
    """For the progress, of what one sees now."""
    async with aclosing(_letters(office, asked, Tally())) as letters:
        return sum([1 async for _ in letters])


async def _letters(office: Office, asked: Asked, tally: Tally) -> AsyncGenerator[Letter, None]:
    """Those to deal with; the others go into the tally."""
    if asked.numbers:
        letters = office.named(dict.fromkeys(asked.numbers))
    else:
        letters = office.open_letters(asked.chosen.boxes, asked.chosen.filter.matches)
    async with aclosing(letters):
        async for letter, before in letters:
            if before:
                when = f"{before.acted_at:%Y-%m-%d %H:%M:%S}"
                done = f"{before.action} at {when} by {before.operator}"
                tally.before.append(f"{letter.number}: {done}")
            elif asked.verb == "redriven" and (fault := redrives.why_not(letter)):
                tally.not_possible.append(f"{letter.number}: {fault}")
            else:
                yield letter


def _say(asked: Asked, tally: Tally) -> None:
    if asked.as_json:
        answer = {
            asked.verb: dict(tally.done),
            "dry_run": asked.dry_run,
            "dealt_with_before": tally.before,
            "not_possible": tally.not_possible,
        }
        click.echo(json.dumps(answer, indent=2))
    else:
        _say_in_words(asked, tally)
    if tally.not_possible:
        raise fail("cannot be sent again, only discarded:\n" + "\n".join(tally.not_possible))


def _say_in_words(asked: Asked, tally: Tally) -> None:
    for line in tally.before:
        click.echo(f"dealt with before: {line}", err=True)
    for box, letters in tally.done.items():
        plural = "s" if letters != 1 else ""
        where = f" to {box}.redrive" if asked.verb == "redriven" else ""
        would = "would be " if asked.dry_run else ""
        click.echo(f"{letters:,} dead letter{plural} of {box} {would}{asked.verb}{where}")
    if not tally.done.total():
        click.echo("nothing to do")
    if asked.dry_run:
        click.echo("nothing was changed")
