"""Pauses and instructions, as the database keeps them for one consumer."""

from typing import Any

import pytest

from contracts.operator_events import OpsConsumerInstructed, OpsConsumerResumed
from contracts.topics import AUDIT, OPS_EVENTS, WATCHLIST, WATCHLIST_COMMANDS
from infra.messaging.consumer_controls import Controls, Instruction
from infra.messaging.postgres_controls import PostgresControls
from operations.consumers import Choice, Found, find, instruct, resume
from operations.errors import OpsError
from operations.ops_events import OperatorContext
from tests.support.infra.batch_trial import order
from tests.support.operations.dead_letter_builders import MemorySender
from tests.support.postgres import Database

BY = OperatorContext("ada", "a trial")


async def of_watchlist(database: Database) -> PostgresControls:
    return PostgresControls(await database.pool("qnt9_watchlist"), WATCHLIST.name)


def an_instruction(first: int, *, key: bytes | None = None) -> Instruction:
    topic = WATCHLIST_COMMANDS.name
    return Instruction("set-aside", topic, 0, first, first + 1, None, key, "ada", "a trial")


async def test_pause_outlives_the_process_and_keeps_its_first_reason(database: Database) -> None:
    controls = await of_watchlist(database)
    assert await controls.load() == (None, [])
    await controls.pause("many senders")
    await controls.pause("and again")
    paused, _ = await controls.load()
    assert paused
    assert paused.reason == "many senders"
    await controls.resume()
    assert await controls.load() == (None, [])


async def test_another_process_follows_a_pause_and_its_end(database: Database) -> None:
    store = await of_watchlist(database)
    one, other = Controls(WATCHLIST.name, store), Controls(WATCHLIST.name, store)
    await one.pause("many senders")
    await other.refresh()
    assert other.paused
    assert other.changed
    await one.resume()
    await other.refresh()
    assert other.paused is None


async def test_consumer_sees_no_pause_and_no_instruction_of_another(database: Database) -> None:
    await (await of_watchlist(database)).pause("many senders")
    await instructed(database, an_instruction(7))
    other = PostgresControls(await database.pool("qnt9_signup"), WATCHLIST.name)
    assert await other.load() == (None, [])


async def instructed(database: Database, *instructions: Instruction) -> MemorySender:
    sender = MemorySender()
    found = Found(instructions, len(instructions))
    await instruct(await database.pool(), sender, WATCHLIST, found, BY)
    return sender


async def test_instruction_reaches_the_consumer_and_the_audit_log(database: Database) -> None:
    first, second = an_instruction(7), an_instruction(9, key=b"a key")
    sender = await instructed(database, first, second)
    assert (await (await of_watchlist(database)).load())[1] == [second, first]
    [event] = sender.to(OPS_EVENTS.name)
    reported = OpsConsumerInstructed.model_validate_json(event.value or b"")
    assert (reported.operator, reported.reason, reported.action) == ("ada", "a trial", "set-aside")
    assert [each[2:] for each in reported.ranges] == [(7, 8), (9, 10)]


async def test_latest_instruction_about_a_record_holds(database: Database) -> None:
    record = order("A")
    record.offset = 7
    skip = Instruction("skip", record.topic, 0, 0, 10, None, None, "ada", "a trial")
    controls = Controls(WATCHLIST.name, await of_watchlist(database))
    await instructed(database, an_instruction(7))
    await instructed(database, skip)
    await controls.refresh()
    assert controls.instruction_for(record) == skip
    record.offset = 10
    assert controls.instruction_for(record) is None


async def test_pause_that_an_operator_ends_is_reported_once(database: Database) -> None:
    await (await of_watchlist(database)).pause("many senders")
    sender = MemorySender()
    assert await resume(await database.pool(), sender, WATCHLIST, BY)
    assert not await resume(await database.pool(), sender, WATCHLIST, BY)
    [event] = sender.to(OPS_EVENTS.name)
    reported = OpsConsumerResumed.model_validate_json(event.value or b"")
    assert reported.was_paused_for == "many senders"


@pytest.mark.parametrize(
    ("consumer", "action", "topic"),
    [(AUDIT, "skip", None), (WATCHLIST, "skip", "users.events"), (WATCHLIST, "set-aside", "x")],
)
async def test_what_no_instruction_can_reach_is_refused(
    consumer: Any, action: Any, topic: str | None
) -> None:
    never_asked: Any = None
    with pytest.raises(OpsError):
        await find(never_asked, consumer, action, Choice(topic), BY)
