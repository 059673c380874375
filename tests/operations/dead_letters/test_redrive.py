"""Marks, outcomes and events of a redrive, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from contracts.commands import RemoveFromWatchlist
from contracts.operator_events import OpsDiscarded, OpsRedriven
from contracts.outcomes import Succeeded
from contracts.topics import MAX_RECORD_BYTES, MIN_REMEMBERED, OPS_EVENTS, REDRIVE_SAFE_AGE
from infra.messaging.transaction import Transactions
from infra.postgres.retention import run
from operations.dead_letters.redrive import AT_ONCE, batches, copy_of, discard, redrive, why_not
from operations.dead_letters.topic import DeadLetter
from operations.errors import OpsError
from operations.ops_events import OperatorContext
from operations.record_producer import Copy
from tests.support.message_builders import received
from tests.support.operations.dead_letter_builders import WATCHLIST, MemorySender, a_letter
from tests.support.postgres import Database
from workers.relay import retention

A_MINUTE = timedelta(minutes=1)
BY = OperatorContext("ada", "the bug is mended")


async def parked(database: Database, dead_letter: DeadLetter) -> bool:
    rows = await database.fetch(
        "SELECT id FROM commands_parked WHERE id = $1", dead_letter.message_id
    )
    return bool(rows)


async def write_dead_letter(database: Database, *dead_letters: DeadLetter) -> None:
    """As the watchlist's worker does it, which may not do more."""
    transactions = Transactions(await database.pool("qnt9_watchlist"), "watchlist")
    for dead_letter in dead_letters:
        assert dead_letter.envelope
        await transactions.mark_dead_lettered(dead_letter.envelope, dead_letter.reason)


async def marked(database: Database) -> list[tuple[int, str]]:
    rows = await database.fetch('SELECT "offset", action FROM dead_letter_actions ORDER BY 1')
    return [(row["offset"], row["action"]) for row in rows]


async def test_a_dead_letter_goes_to_the_one_that_failed_as_it_was_and_is_marked(
    database: Database,
) -> None:
    dead_letter, sender = a_letter(), MemorySender()
    await write_dead_letter(database, dead_letter)
    dealt = await redrive(await database.pool(), sender, WATCHLIST, [dead_letter], BY)
    assert dealt.done == [dead_letter]
    assert sender.to(WATCHLIST.redrive) == [copy_of(dead_letter)]
    assert await marked(database) == [(dead_letter.record.offset, "redriven")]
    assert not await parked(database, dead_letter)
    [event] = sender.to(OPS_EVENTS.name)
    assert OpsRedriven.model_validate_json(event.value or b"") == OpsRedriven(
        operator="ada",
        reason="the bug is mended",
        dead_letters=WATCHLIST.dead_letters,
        offsets=[dead_letter.record.offset],
        message_ids=[dead_letter.message_id],
    )


async def test_a_dead_letter_is_marked_only_when_the_broker_has_it(database: Database) -> None:
    class NoBroker(MemorySender):
        async def send(self, topic: str, copies: Iterable[Copy]) -> None:
            await super().send(topic, copies)
            raise OpsError("not acknowledged")

    dead_letter = a_letter()
    await write_dead_letter(database, dead_letter)
    with pytest.raises(OpsError):
        await redrive(await database.pool(), NoBroker(), WATCHLIST, [dead_letter], BY)
    assert await marked(database) == []
    assert await parked(database, dead_letter)


async def test_two_operators_at_once_send_a_dead_letter_once(database: Database) -> None:
    dead_letter, sender = a_letter(), MemorySender()
    await write_dead_letter(database, dead_letter)
    pool = await database.pool()
    dealt = await asyncio.gather(
        *(redrive(pool, sender, WATCHLIST, [dead_letter], BY) for _ in range(4))
    )
    assert len(sender.to(WATCHLIST.redrive)) == 1
    assert sorted(len(each.done) for each in dealt) == [0, 0, 0, 1]
    assert sorted(len(each.others) for each in dealt) == [0, 1, 1, 1]


async def test_a_command_that_fails_again_at_once_is_parked_in_the_end(database: Database) -> None:
    dead_letter = a_letter()
    again: list[asyncio.Task[None]] = []

    class QuickConsumer(MemorySender):
        async def send(self, topic: str, copies: Iterable[Copy]) -> None:
            """The consumer has it before the mark is committed, and sets it aside again."""
            await super().send(topic, copies)
            if topic == WATCHLIST.redrive:
                again.append(asyncio.create_task(write_dead_letter(database, dead_letter)))

    await write_dead_letter(database, dead_letter)
    await redrive(await database.pool(), QuickConsumer(), WATCHLIST, [dead_letter], BY)
    await asyncio.gather(*again)
    assert await parked(database, dead_letter)


@pytest.mark.parametrize(
    ("age", "sent"), [(REDRIVE_SAFE_AGE, False), (REDRIVE_SAFE_AGE - A_MINUTE, True)]
)
async def test_an_old_dead_letter_that_waits_for_nothing_may_have_been_handled_and_is_not_sent(
    database: Database, age: timedelta, *, sent: bool
) -> None:
    dead_letter, waits = (a_letter(failed_at=datetime.now(UTC) - age) for _ in range(2))
    await write_dead_letter(database, waits)
    sender = MemorySender()
    dealt = await redrive(await database.pool(), sender, WATCHLIST, [dead_letter, waits], BY)
    assert dealt.done == ([dead_letter, waits] if sent else [waits])
    assert dealt.doubtful == ([] if sent else [dead_letter])
    assert len(sender.to(WATCHLIST.redrive)) == len(await marked(database)) == len(dealt.done)


async def test_an_old_dead_letter_whose_repetition_is_harmless_is_always_sent(
    database: Database,
) -> None:
    dead_letter, sender = a_letter(dlq_topic="users.events.audit"), MemorySender()
    dealt = await redrive(await database.pool(), sender, dead_letter.dlq_topic, [dead_letter], BY)
    assert dealt.done == [dead_letter]


async def test_a_dead_letter_of_last_year_has_one_effect_whatever_was_killed_meanwhile(
    database: Database,
) -> None:
    """The first redrive is killed before its mark, its copy is handled, the inbox is cleaned."""
    dead_letter, relay = a_letter(), await database.pool("qnt9_relay")
    assert dead_letter.envelope
    (rule, _) = retention.rules(outcomes=MIN_REMEMBERED, outbox=REDRIVE_SAFE_AGE)
    watchlist = Transactions(await database.pool("qnt9_watchlist"), "watchlist")
    copy = received(RemoveFromWatchlist(symbol="AAPL"), envelope=dead_letter.envelope)
    await write_dead_letter(database, dead_letter)
    async with watchlist.begin() as tx:
        tx.complete(copy, Succeeded())
    await database.execute("UPDATE inbox SET handled_at = now() - interval '300 days'")
    await run(relay, rule)
    sender = MemorySender()
    dealt = await redrive(await database.pool(), sender, WATCHLIST, [dead_letter], BY)
    assert dealt.done == [dead_letter]
    await run(relay, rule)
    assert copy.envelope.id in await watchlist.handled([copy]), "the second copy finds the row"


async def test_a_discarded_command_has_failed_for_anyone_who_asks(database: Database) -> None:
    dead_letter, sender = a_letter(), MemorySender()
    await write_dead_letter(database, dead_letter)
    await discard(await database.pool(), sender, WATCHLIST, [dead_letter], BY)
    rows = await database.fetch(
        "SELECT outcome, fingerprint, actor_id FROM command_outcomes WHERE id = $1",
        dead_letter.message_id,
    )
    assert dead_letter.envelope
    assert rows == [
        {
            "outcome": {"status": "failed", "code": "discarded", "detail": None},
            "fingerprint": dead_letter.envelope.fingerprint,
            "actor_id": dead_letter.envelope.actor_id,
        }
    ]
    assert not await parked(database, dead_letter)
    assert await marked(database) == [(dead_letter.record.offset, "discarded")]
    assert sender.to(WATCHLIST.redrive) == []
    [event] = sender.to(OPS_EVENTS.name)
    assert OpsDiscarded.model_validate_json(event.value or b"").reason == BY.reason


async def test_what_was_handled_meanwhile_keeps_its_outcome(database: Database) -> None:
    dead_letter = a_letter()
    await database.execute(
        "INSERT INTO inbox (message_id, consumer, type, outcome) VALUES ($1, 'watchlist', 'x', $2)",
        dead_letter.message_id,
        {"status": "succeeded", "result": None, "created": False},
    )
    await discard(await database.pool(), MemorySender(), WATCHLIST, [dead_letter], BY)
    rows = await database.fetch("SELECT outcome->>'status' AS status FROM command_outcomes")
    assert rows == [{"status": "succeeded"}]


async def test_an_event_or_what_cannot_be_read_is_discarded_without_an_outcome(
    database: Database,
) -> None:
    event = a_letter(dlq_topic="users.events.audit")
    record = a_letter().record
    record.headers = [("ce_id", None)]
    unreadable, sender = DeadLetter.of(WATCHLIST, record), MemorySender()
    pool = await database.pool()
    await discard(pool, sender, event.dlq_topic, [event], BY)
    await discard(pool, sender, WATCHLIST, [unreadable], BY)
    assert await database.fetch("SELECT * FROM inbox") == []
    assert len(await marked(database)) == 2
    assert [orjson.loads(c.value or b"")["message_ids"] for c in sender.to(OPS_EVENTS.name)] == [
        [str(event.message_id)],
        [],
    ]


def test_what_was_cut_or_is_too_big_cannot_be_sent_again() -> None:
    assert why_not(a_letter()) is None
    assert why_not(a_letter(cut_from_bytes="5242880"))
    assert why_not(a_letter(b"x" * MAX_RECORD_BYTES))


def test_a_redriven_record_is_the_dead_letter_with_its_history() -> None:
    dead_letter = a_letter()
    copy = copy_of(dead_letter)
    assert (copy.key, copy.value) == (dead_letter.record.key, dead_letter.record.value)
    assert copy.headers == list(dead_letter.record.headers)
    assert "qnt9_dlq_offset" in dict(copy.headers)


async def test_a_batch_is_of_one_box_and_fits_into_a_transaction() -> None:
    big = MAX_RECORD_BYTES * 2 // 3
    audit = "users.events.audit"
    dead_letters = [
        *(a_letter() for _ in range(AT_ONCE + 1)),
        a_letter(dlq_topic=audit),
        a_letter(b"x" * big, dlq_topic=audit),
        a_letter(b"x" * big, dlq_topic=audit),
    ]
    assert [len(batch) for batch in await _batches(dead_letters)] == [AT_ONCE, 1, 2, 1]


async def _batches(dead_letters: Sequence[DeadLetter]) -> list[list[DeadLetter]]:
    async def read() -> AsyncIterator[DeadLetter]:
        for dead_letter in dead_letters:
            yield dead_letter

    return [batch async for batch in batches(read())]
