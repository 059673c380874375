"""Dead letters sent again to the one consumer that failed, or given up.

One transaction a batch: the dead letters are marked, Kafka acknowledges, then the marks are
committed. Whatever is cut off leaves them unmarked, so the same command takes them again; what had
been sent comes twice then, under the same `ce_id`, and the consumer's inbox makes that harmless.
Two operators at once wait for each other's marks.

An inbox forgets what was handled long ago, but not while its message is parked. So an old dead
letter is sent while its message is, and otherwise never: it may have been handled (ADR 15).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from contracts.message import Command
from contracts.operator_events import OpsDiscarded, OpsRedriven
from contracts.topics import MAX_RECORD_BYTES, REDRIVE_SAFE_AGE
from infra.postgres.pool import Connection, Pool
from infra.runtime.clock import CLOCK
from operations import ops_events
from operations.dead_letters import actions
from operations.dead_letters.topic import DeadLetter, DeadLetterTopic
from operations.record_producer import Copy, Sender

AT_ONCE = 100
BYTES_AT_ONCE = MAX_RECORD_BYTES
HEADROOM = 64 * 1024


@dataclass
class Dealt:
    """What became of a batch."""

    done: list[DeadLetter] = field(default_factory=list)
    others: list[DeadLetter] = field(default_factory=list)
    """Somebody else dealt with these meanwhile."""
    doubtful: list[DeadLetter] = field(default_factory=list)
    """Nobody knows any more whether these were handled since."""


DOUBTFUL = f"it is older than {REDRIVE_SAFE_AGE.days} days, and may have been handled since"


def why_not(dead_letter: DeadLetter) -> str | None:
    """Why a dead letter cannot be sent again; it can still be discarded."""
    if dead_letter.erased:
        return "its user was erased, and nobody can read it any more"
    if dead_letter.cut:
        return "only its beginning was kept, for it was too big"
    size = _size(dead_letter)
    if size > MAX_RECORD_BYTES - HEADROOM:
        return f"it has {size:,} bytes, more than the consumer's topic takes"
    return None


async def doubtful(conn: Connection, dead_letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Those that are old and wait for nothing: each could have a second effect."""
    since = CLOCK.now() - REDRIVE_SAFE_AGE
    old = [
        each for each in dead_letters if each.dlq_topic.consumer.inbox and each.last_failure < since
    ]
    waiting = await actions.parked(conn, _ids(old)) if old else set()
    return [each for each in old if each.message_id and each.message_id not in waiting]


def copy_of(dead_letter: DeadLetter) -> Copy:
    """The record as it was before it was set aside, `ce_id` and all, with what became of it since.

    A consumer that fails on it again goes on counting where the dead letter stops.
    """
    record = dead_letter.record
    return Copy(record.key, record.value, list(record.headers))


async def redrive(
    pool: Pool,
    sender: Sender,
    dlq_topic: DeadLetterTopic,
    dead_letters: Sequence[DeadLetter],
    by: ops_events.OperatorContext,
    *,
    event_id: UUID | None = None,
) -> Dealt:
    """Dead letters of one box, in their order. Returns when Kafka has them and they are marked.

    With `event_id` the caller publishes the event that reports them; without, it is done here.
    """
    async with _marked(pool, "redriven", dead_letters, by, event_id) as (conn, dealt):
        if dealt.done:
            await actions.remember(conn, dlq_topic.consumer.name, _ids(dealt.done))
            await actions.unpark(conn, _ids(dealt.done))
            await sender.send(dlq_topic.redrive, map(copy_of, dealt.done))
            if event_id is None:
                await _report(sender, OpsRedriven, dlq_topic, dealt.done, by)
    return dealt


async def discard(
    pool: Pool,
    sender: Sender,
    dlq_topic: DeadLetterTopic,
    dead_letters: Sequence[DeadLetter],
    by: ops_events.OperatorContext,
    *,
    event_id: UUID | None = None,
) -> Dealt:
    """Dead letters of one box, for good; commands among them have failed. `event_id` as above."""
    async with _marked(pool, "discarded", dead_letters, by, event_id) as (conn, dealt):
        if dealt.done:
            if carries_commands(dlq_topic) and _ids(dealt.done):
                await actions.give_up(conn, dlq_topic.consumer.name, dealt.done)
                await actions.unpark(conn, _ids(dealt.done))
            if event_id is None:
                await _report(sender, OpsDiscarded, dlq_topic, dealt.done, by)
    return dealt


async def _report(
    sender: Sender,
    kind: type[OpsRedriven | OpsDiscarded],
    dlq_topic: DeadLetterTopic,
    dead_letters: Sequence[DeadLetter],
    by: ops_events.OperatorContext,
) -> None:
    event = kind(
        operator=by.operator,
        reason=by.reason,
        dead_letters=dlq_topic.dead_letters,
        offsets=[dead_letter.record.offset for dead_letter in dead_letters],
        message_ids=_ids(dead_letters),
    )
    await ops_events.record(sender, event, about=dlq_topic.dead_letters)


def carries_commands(dlq_topic: DeadLetterTopic) -> bool:
    return all(issubclass(message, Command) for message in dlq_topic.topic.carries)


@asynccontextmanager
async def _marked(
    pool: Pool,
    kind: actions.Kind,
    dead_letters: Sequence[DeadLetter],
    by: ops_events.OperatorContext,
    event_id: UUID | None,
) -> AsyncIterator[tuple[Connection, Dealt]]:
    async with pool.acquire() as conn, conn.transaction():
        claimed = await actions.claim(
            conn, kind, dead_letters, by.operator, by.reason, event_id=event_id
        )
        dealt = Dealt()
        for dead_letter in dead_letters:
            mine = (dead_letter.record.topic, dead_letter.record.offset) in claimed
            (dealt.done if mine else dealt.others).append(dead_letter)
        if kind == "redriven":
            dealt.doubtful = await doubtful(conn, dealt.done)
            dealt.done = [each for each in dealt.done if each not in dealt.doubtful]
            await actions.unclaim(conn, dealt.doubtful)
        yield conn, dealt


async def batches(
    dead_letters: AsyncIterator[DeadLetter], at_once: int = AT_ONCE
) -> AsyncIterator[list[DeadLetter]]:
    """So many of one box as fit into one transaction."""
    batch: list[DeadLetter] = []
    size = 0
    async for dead_letter in dead_letters:
        full = len(batch) >= at_once or size + _size(dead_letter) > BYTES_AT_ONCE
        if batch and (full or dead_letter.dlq_topic != batch[0].dlq_topic):
            yield batch
            batch, size = [], 0
        batch.append(dead_letter)
        size += _size(dead_letter)
    if batch:
        yield batch


def _size(dead_letter: DeadLetter) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in dead_letter.record.headers)
    return headers + len(dead_letter.record.value or b"") + len(dead_letter.record.key or b"")


def _ids(dead_letters: Sequence[DeadLetter]) -> list[UUID]:
    return [dead_letter.message_id for dead_letter in dead_letters if dead_letter.message_id]
