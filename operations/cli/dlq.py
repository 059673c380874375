"""`qnt9 dlq`: what was set aside, why, and what becomes of it."""

import json
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from infra.runtime.settings import KafkaSettings, PostgresSettings
from operations.cli.dead_letter_ids import NUMBER
from operations.cli.dead_letter_options import Chosen, chosen, filter_options
from operations.cli.options import data_option
from operations.cli.redrive import discard, redrive
from operations.cli.runner import both_settings, run
from operations.cli.tables import wrapped
from operations.dead_letters.actions import Action
from operations.dead_letters.repository import opened
from operations.dead_letters.topic import DeadLetter, Group, Listed, Number, grouped
from operations.redaction import show

Settings = tuple[KafkaSettings, PostgresSettings]


@click.group(epilog="Example: qnt9 dlq list, then qnt9 dlq show watchlist.commands.watchlist:17")
def dlq() -> None:
    """Dead letters: list, show, redrive or discard them.

    The id of a dead letter is <topic>.<consumer>:<offset>; a range is …:17-28.
    """


@dlq.command("list", epilog="Example: qnt9 dlq list watchlist.commands --failure timeout --from 2h")
@click.argument("topic", required=False)
@data_option
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Dead letters shown of each group.",
)
@click.option("--page", type=click.IntRange(1), help="Stop after this many dead letters.")
@click.option("--after", type=NUMBER, help="Continue after this dead letter.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print every dead letter as JSON, for scripts."
)
def list_(  # noqa: PLR0917 - click passes them by name
    topic: str | None,
    data: Path,
    limit: int,
    page: int | None,
    after: Number | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """List dead letters that are neither redriven nor discarded.

    Grouped by consumer and reason, the latest failure last. With --page, one page of dead letters
    in the order in which they were written, by consumer; the last id is printed at the end.
    """
    wanted = chosen(topic, **filters)
    found = run(_listed(both_settings(data), wanted, after, page))
    if as_json:
        click.echo(
            json.dumps([_listed_json(dead_letter) for dead_letter in found.dead_letters], indent=2)
        )
    else:
        for group in grouped(found.dead_letters):
            click.echo(wrapped(_group_text(group, limit)))
            click.echo()
        click.echo(_summary(found))
    if found.more:
        click.echo(f"there are more: --after {found.dead_letters[-1].number}", err=True)


@dataclass(frozen=True, slots=True)
class Found:
    """Dead letters that were looked for, among how many; whether the page ended before they did."""

    dead_letters: list[Listed]
    of: int
    more: bool


def _summary(found: Found) -> str:
    plural = "s" if found.of != 1 else ""
    if not found.of:
        return "no open dead letters"
    if len(found.dead_letters) < found.of:
        return f"{len(found.dead_letters):,} of {found.of:,} dead letter{plural} match"
    return f"{found.of:,} open dead letter{plural}"


@dlq.command("show", epilog="Example: qnt9 dlq show watchlist.commands.watchlist:17")
@click.argument("number", type=NUMBER)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def show_(number: Number, data: Path, *, as_json: bool) -> None:
    """Show one dead letter with all its data.

    Personal and sealed values are never shown in clear.
    """
    if number.first != number.last:
        raise click.UsageError("one dead letter at a time")
    dead_letter, done = run(_one(both_settings(data), number))
    content = _dead_letter_json(dead_letter, done)
    if as_json:
        click.echo(json.dumps(content, default=str, ensure_ascii=False, indent=2))
        return
    click.echo(wrapped(_dead_letter_text(dead_letter, content)))


async def _listed(
    settings: Settings, wanted: Chosen, after: Number | None, page: int | None
) -> Found:
    listed: list[Listed] = []
    seen = 0
    async with opened(*settings) as repository:
        dead_letters = repository.open_dead_letters(wanted.dlq_topics, lambda _: True, after)
        async with aclosing(dead_letters):
            async for dead_letter, _ in dead_letters:
                if page is not None and len(listed) == page:
                    return Found(listed, seen, more=True)
                seen += 1
                if wanted.filter.matches(dead_letter):
                    listed.append(Listed.of(dead_letter))
    return Found(listed, seen, more=False)


async def _one(settings: Settings, number: Number) -> tuple[DeadLetter, Action | None]:
    async with opened(*settings) as repository:
        await repository.check([number])
        [seen] = [seen async for seen in repository.named([number])]
        return seen


def _group_text(group: Group, limit: int) -> str:
    times = f"{group.first:%Y-%m-%d %H:%M:%S}"
    if group.last != group.first:
        times += f" to {group.last:%Y-%m-%d %H:%M:%S}"
    many = f"{len(group.dead_letters):,} of {group.dlq_topic.topic.name}"
    lines = [
        f"{group.dlq_topic.consumer.name} could not handle {many}: {group.reason}",
        f"  {times} UTC",
    ]
    displayed = group.dead_letters[-limit:] if limit else ()
    if hidden := len(group.dead_letters) - len(displayed):
        lines.append(f"  {hidden:,} older, not shown")
    lines += [
        f"  {dead_letter.number}  {dead_letter.last_failure:%m-%d %H:%M:%S}  {dead_letter.type}"
        for dead_letter in displayed
    ]
    return "\n".join(lines)


def _listed_json(dead_letter: Listed) -> dict[str, Any]:
    return {
        "number": dead_letter.number,
        "topic": dead_letter.dlq_topic.topic.name,
        "consumer": dead_letter.dlq_topic.consumer.name,
        "reason": dead_letter.reason,
        "type": dead_letter.type,
        "first_failure": dead_letter.first_failure.isoformat(),
        "last_failure": dead_letter.last_failure.isoformat(),
        "came_from": dead_letter.came_from,
    }


def _dead_letter_json(dead_letter: DeadLetter, done: Action | None) -> dict[str, Any]:
    displayed = show(dead_letter.record)
    return {
        **_listed_json(Listed.of(dead_letter)),
        "attempts": dead_letter.attempts,
        "cut": dead_letter.cut,
        "dealt_with": asdict(done) if done else None,
        "key": displayed.key,
        "headers": displayed.headers,
        "data": displayed.data,
        "unreadable": displayed.problem,
    }


def _dead_letter_text(dead_letter: DeadLetter, content: dict[str, Any]) -> str:
    done = content["dealt_with"]
    about = {
        "id": dead_letter.number,
        "reason": dead_letter.reason,
        "attempts": dead_letter.attempts,
        "first": f"{dead_letter.first_failure:%Y-%m-%d %H:%M:%S} UTC",
        "last": f"{dead_letter.last_failure:%Y-%m-%d %H:%M:%S} UTC",
        "origin": dead_letter.came_from,
        "key": content["key"] if content["key"] is not None else "(none)",
        "state": f"{done['action']} at {done['acted_at']:%Y-%m-%d %H:%M:%S} UTC by "
        f"{done['operator']}: {done['reason']}"
        if done
        else "open; `qnt9 dlq redrive` or `qnt9 dlq discard`",
    }
    if dead_letter.cut:
        about["content"] = "only its beginning was kept; it cannot be sent again"
    lines = [f"{name:10} {text}" for name, text in about.items()]
    lines += ["", *(f"{name}: {text}" for name, text in content["headers"].items()), ""]
    lines.append(json.dumps(content["data"], ensure_ascii=False, indent=2))
    return "\n".join(lines)


dlq.add_command(redrive)
dlq.add_command(discard)
