"""Dead letters sent again to the one consumer that failed, or given up.

One transaction a batch: the letters are marked, Kafka acknowledges, then the marks are committed.
Whatever is cut off leaves them unmarked, so the same command takes them again; what had been sent
comes twice then, under the same `ce_id`, and the consumer's inbox makes that harmless. Two
operators at once wait for each other's marks.

An inbox forgets what was handled long ago, but not while its message is parked. So an old letter
is sent while its message is, and otherwise never: it may have been handled (ADR 15).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from contracts.events import OpsDiscarded, OpsRedriven
from contracts.message import Command
from contracts.topics import MAX_RECORD_BYTES, REDRIVE_SAFE_AGE
from infra.postgres.pool import Connection, Pool
from infra.runtime.clock import CLOCK
from operations import ops_events
from operations.dead_letters import actions
from operations.dead_letters.topic import Box, Letter
from operations.record_producer import Copy, Sender

AT_ONCE = 100
BYTES_AT_ONCE = MAX_RECORD_BYTES
HEADROOM = 64 * 1024


@dataclass
class Dealt:
    """What became of a batch."""

    done: list[Letter] = field(default_factory=list)
    others: list[Letter] = field(default_factory=list)
    """Somebody else dealt with these meanwhile."""
    doubtful: list[Letter] = field(default_factory=list)
    """Nobody knows any more whether these were handled since."""


DOUBTFUL = f"it is older than {REDRIVE_SAFE_AGE.days} days, and may have been handled since"


def why_not(letter: Letter) -> str | None:
    """Why a letter cannot be sent again; it can still be discarded."""
    if letter.cut:
        return "only its beginning was kept, for it was too big"
    size = _size(letter)
    if size > MAX_RECORD_BYTES - HEADROOM:
        return f"it has {size:,} bytes, more than the consumer's topic takes"
    return None


async def doubtful(conn: Connection, letters: Sequence[Letter]) -> list[Letter]:
    """Those that are old and wait for nothing: each could have a second effect."""
    since = CLOCK.now() - REDRIVE_SAFE_AGE
    old = [each for each in letters if each.box.consumer.inbox and each.last_failure < since]
    waiting = await actions.parked(conn, _ids(old)) if old else set()
    return [each for each in old if each.message_id and each.message_id not in waiting]


def copy_of(letter: Letter) -> Copy:
    """The record as it was before it was set aside, `ce_id` and all, with what became of it since.

    A consumer that fails on it again goes on counting where the letter stops.
    """
    record = letter.record
    return Copy(record.key, record.value, list(record.headers))


async def redrive(
    pool: Pool,
    sender: Sender,
    box: Box,
    letters: Sequence[Letter],
    by: ops_events.By,
    *,
    event_id: UUID | None = None,
) -> Dealt:
    """Letters of one box, in their order. Returns when Kafka has them and they are marked.

    With `event_id` the caller publishes the event that tells of them; without, it is done here.
    """
    async with _marked(pool, "redriven", letters, by, event_id) as (conn, dealt):
        if dealt.done:
            await actions.remember(conn, box.consumer.name, _ids(dealt.done))
            await actions.unpark(conn, _ids(dealt.done))
            await sender.send(box.redrive, map(copy_of, dealt.done))
            if event_id is None:
                await _tell(sender, OpsRedriven, box, dealt.done, by)
    return dealt


async def discard(
    pool: Pool,
    sender: Sender,
    box: Box,
    letters: Sequence[Letter],
    by: ops_events.By,
    *,
    event_id: UUID | None = None,
) -> Dealt:
    """Letters of one box, for good; commands among them have failed. `event_id` as above."""
    async with _marked(pool, "discarded", letters, by, event_id) as (conn, dealt):
        if dealt.done:
            if carries_commands(box) and _ids(dealt.done):
                await actions.give_up(conn, box.consumer.name, dealt.done)
                await actions.unpark(conn, _ids(dealt.done))
            if event_id is None:
                await _tell(sender, OpsDiscarded, box, dealt.done, by)
    return dealt


async def _tell(
    sender: Sender,
    kind: type[OpsRedriven | OpsDiscarded],
    box: Box,
    letters: Sequence[Letter],
    by: ops_events.By,
) -> None:
    event = kind(
        operator=by.operator,
        reason=by.reason,
        dead_letters=box.dead_letters,
        offsets=[letter.record.offset for letter in letters],
        message_ids=_ids(letters),
    )
    await ops_events.record(sender, event, about=box.dead_letters)


def carries_commands(box: Box) -> bool:
    return all(issubclass(message, Command) for message in box.topic.carries)


@asynccontextmanager
async def _marked(
    pool: Pool,
    kind: actions.Kind,
    letters: Sequence[Letter],
    by: ops_events.By,
    event_id: UUID | None,
) -> AsyncIterator[tuple[Connection, Dealt]]:
    async with pool.acquire() as conn, conn.transaction():
        claimed = await actions.claim(
            conn, kind, letters, by.operator, by.reason, event_id=event_id
        )
        dealt = Dealt()
        for letter in letters:
            mine = (letter.record.topic, letter.record.offset) in claimed
            (dealt.done if mine else dealt.others).append(letter)
        if kind == "redriven":
            dealt.doubtful = await doubtful(conn, dealt.done)
            dealt.done = [each for each in dealt.done if each not in dealt.doubtful]
            await actions.unclaim(conn, dealt.doubtful)
        yield conn, dealt


async def batches(
    letters: AsyncIterator[Letter], at_once: int = AT_ONCE
) -> AsyncIterator[list[Letter]]:
    """So many of one box as fit into one transaction."""
    batch: list[Letter] = []
    size = 0
    async for letter in letters:
        full = len(batch) >= at_once or size + _size(letter) > BYTES_AT_ONCE
        if batch and (full or letter.box != batch[0].box):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += _size(letter)
    if batch:
        yield batch


def _size(letter: Letter) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in letter.record.headers)
    return headers + len(letter.record.value or b"") + len(letter.record.key or b"")


def _ids(letters: Sequence[Letter]) -> list[UUID]:
    return [letter.message_id for letter in letters if letter.message_id]
