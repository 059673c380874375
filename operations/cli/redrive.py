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
from operations.dead_letters.repository import DeadLetterRepository, opened
from operations.dead_letters.topic import DeadLetter, Number
from operations.ops_events import OperatorContext, this_operator
from operations.record_producer import Sender
from operations.replay.executor import Pace

Settings = tuple[KafkaSettings, PostgresSettings]
STOPPED = "stopped; what was done is marked: run the same command again for the rest"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which dead letters, and how."""

    verb: str
    numbers: tuple[Number, ...]
    chosen: Chosen
    dry_run: bool
    rate: float | None
    as_json: bool
    by: OperatorContext


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where dead letters go, and where it is told."""

    sender: Sender
    reports: Reports


@dataclass
class Tally:
    """What became of the dead letters."""

    done: Counter[str] = field(default_factory=Counter)
    before: list[str] = field(default_factory=list)
    not_possible: list[str] = field(default_factory=list)

    def doubt(self, dead_letters: list[DeadLetter]) -> None:
        self.not_possible += [f"{each.number}: {redrives.DOUBTFUL}" for each in dead_letters]


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
    async with opened(*settings) as repository:
        await repository.check(asked.numbers)
        tally = Tally()
        total = await _count(repository, asked)
        if asked.dry_run:
            await _look(repository, asked, tally)
        else:
            async with (
                Sender(settings[0]) as sender,
                reporting(repository.pool, sender) as reports,
            ):
                await _deal_with(repository, Outlet(sender, reports), asked, tally, total)
    _say(asked, tally)


async def _look(repository: DeadLetterRepository, asked: Asked, tally: Tally) -> None:
    async with aclosing(_dead_letters(repository, asked, tally)) as dead_letters:
        async for batch in redrives.batches(dead_letters):
            doubtful: list[DeadLetter] = []
            if asked.verb == "redriven":
                async with repository.pool.acquire() as conn:
                    doubtful = await redrives.doubtful(conn, batch)
            tally.doubt(doubtful)
            tally.done[batch[0].dlq_topic.name] += len(batch) - len(doubtful)


async def _deal_with(
    repository: DeadLetterRepository, outlet: Outlet, asked: Asked, tally: Tally, total: int
) -> None:
    pace = Pace(asked.rate)
    at_once = redrives.AT_ONCE if asked.rate is None else max(1, int(asked.rate / 4))
    with Progress(asked.verb, total) as progress:
        async with aclosing(_dead_letters(repository, asked, tally)) as dead_letters:
            async for batch in redrives.batches(dead_letters, min(at_once, redrives.AT_ONCE)):
                await pace.wait_for(len(batch))
                event_id = await outlet.reports.event_for(batch[0].dlq_topic, len(batch))
                act = redrives.redrive if asked.verb == "redriven" else redrives.discard
                dealt = await act(
                    repository.pool,
                    outlet.sender,
                    batch[0].dlq_topic,
                    batch,
                    asked.by,
                    event_id=event_id,
                )
                tally.done[batch[0].dlq_topic.name] += len(dealt.done)
                tally.before += [
                    f"{each.number}: handled by another operator just now" for each in dealt.others
                ]
                tally.doubt(dealt.doubtful)
                progress.seen(len(batch))


async def _count(repository: DeadLetterRepository, asked: Asked) -> int:
    """For the progress, of what one sees now."""
    async with aclosing(_dead_letters(repository, asked, Tally())) as dead_letters:
        return sum([1 async for _ in dead_letters])


async def _dead_letters(
    repository: DeadLetterRepository, asked: Asked, tally: Tally
) -> AsyncGenerator[DeadLetter, None]:
    """Those to deal with; the others go into the tally."""
    if asked.numbers:
        dead_letters = repository.named(dict.fromkeys(asked.numbers))
    else:
        dead_letters = repository.open_dead_letters(
            asked.chosen.dlq_topics, asked.chosen.filter.matches
        )
    async with aclosing(dead_letters):
        async for dead_letter, before in dead_letters:
            if before:
                when = f"{before.acted_at:%Y-%m-%d %H:%M:%S}"
                done = f"{before.action} at {when} by {before.operator}"
                tally.before.append(f"{dead_letter.number}: {done}")
            elif asked.verb == "redriven" and (fault := redrives.why_not(dead_letter)):
                tally.not_possible.append(f"{dead_letter.number}: {fault}")
            else:
                yield dead_letter


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
    for dlq_topic, dead_letters in tally.done.items():
        plural = "s" if dead_letters != 1 else ""
        where = f" to {dlq_topic}.redrive" if asked.verb == "redriven" else ""
        would = "would be " if asked.dry_run else ""
        click.echo(
            f"{dead_letters:,} dead letter{plural} of {dlq_topic} {would}{asked.verb}{where}"
        )
    if not tally.done.total():
        click.echo("nothing to do")
    if asked.dry_run:
        click.echo("nothing was changed")
