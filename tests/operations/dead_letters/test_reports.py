"""One event for what a run did about dead letters, whatever its rate, however it ended."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from contracts.operator_events import OpsRedriven
from contracts.topics import OPS_EVENTS
from infra.postgres.pool import Pool
from operations.dead_letters import reports as module
from operations.dead_letters.redrive import redrive
from operations.dead_letters.reports import Reports, reporting
from operations.dead_letters.topic import DeadLetter
from operations.errors import OpsError
from operations.ops_events import OperatorContext
from operations.record_producer import Copy
from tests.support.operations.dead_letter_builders import WATCHLIST, MemorySender, a_letter
from tests.support.postgres import Database

BY = OperatorContext("ada", "the bug is mended")


def a_recent_dead_letter(dlq_topic: str = WATCHLIST.name) -> DeadLetter:
    """An old one would not be sent while nothing waits for it."""
    return a_letter(dlq_topic=dlq_topic, failed_at=datetime.now(UTC))


async def redriven(
    pool: Pool, sender: MemorySender, reports: Reports, dead_letters: Iterable[DeadLetter]
) -> None:
    """One transaction a dead letter, as at a slow rate."""
    for dead_letter in dead_letters:
        event_id = await reports.event_for(dead_letter.dlq_topic, 1)
        await redrive(pool, sender, dead_letter.dlq_topic, [dead_letter], BY, event_id=event_id)


async def stop_after(pool: Pool, sender: MemorySender, dead_letter: DeadLetter) -> None:
    async with reporting(pool, sender) as reports:
        await redriven(pool, sender, reports, [dead_letter])
        raise KeyboardInterrupt


def reported(sender: MemorySender) -> list[OpsRedriven]:
    return [
        OpsRedriven.model_validate_json(copy.value or b"") for copy in sender.to(OPS_EVENTS.name)
    ]


async def test_a_slow_run_leaves_one_event_for_each_box(database: Database) -> None:
    pool, sender = await database.pool(), MemorySender()
    ours = [a_recent_dead_letter() for _ in range(30)]
    others = [a_recent_dead_letter(dlq_topic="users.events.audit") for _ in range(5)]
    async with reporting(pool, sender) as reports:
        await redriven(pool, sender, reports, [*ours, *others])
    assert [event.offsets for event in reported(sender)] == [
        [dead_letter.record.offset for dead_letter in dead_letters]
        for dead_letters in (ours, others)
    ]
    assert {(event.operator, event.reason) for event in reported(sender)} == {("ada", BY.reason)}


async def test_a_long_run_leaves_an_event_for_each_thousand_dead_letters(
    database: Database,
) -> None:
    pool, sender = await database.pool(), MemorySender()
    dead_letters = [a_recent_dead_letter() for _ in range(2_100)]
    async with reporting(pool, sender) as reports:
        for begin in range(0, len(dead_letters), 100):
            batch = dead_letters[begin : begin + 100]
            event_id = await reports.event_for(WATCHLIST, len(batch))
            await redrive(pool, sender, WATCHLIST, batch, BY, event_id=event_id)
    assert [len(event.offsets) for event in reported(sender)] == [1_000, 1_000, 100]
    assert module.MAX_DEAD_LETTERS == 1_000


async def test_a_run_that_fails_or_is_stopped_reports_what_it_has_done(database: Database) -> None:
    pool, sender, dead_letter = await database.pool(), MemorySender(), a_recent_dead_letter()
    stopped = stop_after(pool, sender, dead_letter)
    with pytest.raises(KeyboardInterrupt):
        await stopped
    assert [event.offsets for event in reported(sender)] == [[dead_letter.record.offset]]


async def test_what_a_killed_run_has_not_reported_is_reported_by_the_next_one_as_the_same_event(
    database: Database,
) -> None:
    class NoJournal(MemorySender):
        async def send(self, topic: str, copies: Iterable[Copy]) -> None:
            if topic == OPS_EVENTS.name:
                raise OpsError("the broker is away")
            await super().send(topic, copies)

    pool, dead_letters = await database.pool(), [a_recent_dead_letter() for _ in range(3)]
    silent, sender = NoJournal(), MemorySender()
    with pytest.raises(OpsError):
        async with reporting(pool, silent) as reports:
            await redriven(pool, silent, reports, dead_letters)
    async with reporting(pool, sender):
        pass
    [event] = reported(sender)
    assert event.offsets == [dead_letter.record.offset for dead_letter in dead_letters]
    async with reporting(pool, sender):
        pass
    assert len(reported(sender)) == 1

    await database.execute("UPDATE dead_letter_actions SET told_at = NULL")
    async with reporting(pool, sender):
        pass
    first, second = sender.to(OPS_EVENTS.name)
    assert first == second, "killed after it was published: the same id, time and content"


async def test_what_a_run_that_is_alive_has_still_to_report_is_left_to_it(
    database: Database,
) -> None:
    pool, sender, other = await database.pool(), MemorySender(), MemorySender()
    async with reporting(pool, sender) as reports:
        await redriven(pool, sender, reports, [a_recent_dead_letter()])
        async with reporting(pool, other):
            pass
        assert reported(other) == []
    assert len(reported(sender)) == 1
