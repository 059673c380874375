"""What a restored database makes of messages that are handled again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from contracts.commands import AddToWatchlist
from contracts.events import UserSignedUp, WatchlistItemAdded
from contracts.ids import uuid7
from contracts.message import Message
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import Personal
from contracts.topics import TOPICS
from infra.messaging.inbound import InboundMessage
from infra.messaging.restored_database import AwaitedError, RestoredDatabaseError, unknown_messages
from infra.messaging.transaction import Transactions
from operations.recovery import store
from operations.recovery.store import Lost
from tests.support.message_builders import a_personal_key, an_envelope, received
from tests.support.postgres import Database

USER = uuid7()
COMMAND = AddToWatchlist(symbol="AAPL")


@pytest.fixture
async def transactions(database: Database) -> Transactions:
    return Transactions(await database.pool("qnt9_watchlist"), "watchlist")


async def handle(
    transactions: Transactions, command: InboundMessage[Message], *, rejected: bool
) -> None:
    async with transactions.begin() as tx:
        if not rejected:
            event = WatchlistItemAdded(user_id=USER, symbol="AAPL")
            tx.emit(event, about=USER, caused_by=command)
        tx.complete(command, Rejected("unknown-user") if rejected else Succeeded())


async def restored(
    database: Database, transactions: Transactions, command: InboundMessage[Message]
) -> UUID:
    """The command was handled, its event published, and the database lost both. Returns its id."""
    await handle(transactions, command, rejected=False)
    (row,) = await database.fetch("SELECT id, aggregateid, payload, headers FROM outbox")
    await database.execute("TRUNCATE inbox, outbox")
    lost = Lost(
        an_envelope(WatchlistItemAdded, id=row["id"]),
        "watchlists.events",
        row["aggregateid"],
        row["payload"],
        row["headers"],
        awaited=True,
    )
    async with (await database.pool()).acquire() as conn:
        await store.insert_events(conn, [lost])
        await store.insert_events(conn, [lost])
    await database.execute(
        "UPDATE recovered_events SET consumer = 'watchlist', cause_id = $1", command.envelope.id
    )
    found: UUID = row["id"]
    return found


async def test_published_event_enters_the_outbox_once_and_as_published(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    event_id = await restored(database, transactions, command)
    await handle(transactions, command, rejected=False)
    (row,) = await database.fetch("SELECT id, published_at FROM outbox")
    assert row["id"] == event_id
    assert row["published_at"]
    assert len(await database.fetch("SELECT FROM inbox")) == 1
    (note,) = await database.fetch("SELECT repeated_at FROM recovered_events")
    assert note["repeated_at"]


@pytest.mark.parametrize("role", ["signup", "accounts", "verification", "quotes"])
async def test_role_of_another_slice_cannot_mark_an_awaited_event(
    transactions: Transactions, database: Database, role: str
) -> None:
    event_id = await restored(database, transactions, received(COMMAND, actor=USER))
    pool = await database.pool(f"qnt9_{role}")
    insert = """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
        VALUES ($1, 'watchlists', 'x', 'qnt9.watchlist.item_added.v1', '{}', '{}')
    """
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(insert, event_id)
    (note,) = await database.fetch("SELECT repeated_at FROM recovered_events")
    assert note["repeated_at"] is None


async def test_database_knows_the_role_of_every_consumer(database: Database) -> None:
    for topic in TOPICS:
        for consumer in topic.consumers:
            (row,) = await database.fetch("SELECT role_of_consumer($1) AS role", consumer.name)
            assert row["role"] == f"qnt9_{consumer.principal}"


async def test_command_that_ends_otherwise_than_before_is_not_settled(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    await restored(database, transactions, command)
    with pytest.raises(AwaitedError):
        await handle(transactions, command, rejected=True)
    assert not await database.fetch("SELECT FROM inbox")
    async with (await database.pool()).acquire() as conn:
        assert await store.give_up(conn, [command.envelope.id]) == 1
    await handle(transactions, command, rejected=True)
    assert len(await database.fetch("SELECT FROM inbox")) == 1


async def test_event_waits_until_its_cause_is_handled_again(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    event_id = await restored(database, transactions, command)
    pool = await database.pool("qnt9_verification")
    mails = Transactions(pool, "verification-mails")
    event = received(
        UserSignedUp(user_id=USER, email=Personal.of_token(a_personal_key().encrypt("a"))),
        id=event_id,
    )
    assert await mails.handled([event]) == {}
    assert mails.awaited == {event_id}
    with pytest.raises(AwaitedError):
        async with mails.begin() as tx:
            tx.complete(event)
    await handle(transactions, command, rejected=False)
    assert await mails.handled([event]) == {}
    assert mails.awaited == frozenset()


async def test_what_happened_before_the_restore_is_known(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    assert not await transactions.happened(command)
    await restored(database, transactions, command)
    assert await transactions.happened(command)


async def test_database_that_forgot_the_last_message_is_noticed_before_the_next(
    transactions: Transactions, database: Database
) -> None:
    command = received(COMMAND, actor=USER)
    await handle(transactions, command, rejected=False)
    assert await transactions.handled([received(COMMAND)]) == {}
    await database.execute("TRUNCATE inbox, outbox")
    with pytest.raises(RestoredDatabaseError):
        await transactions.handled([received(COMMAND)])
    assert transactions.memory.contradicted.is_set()


async def test_messages_are_unknown_unless_handled_or_set_aside(
    transactions: Transactions, database: Database
) -> None:
    handled, parked, decided, lost = (received(COMMAND, actor=USER) for _ in range(4))
    await handle(transactions, handled, rejected=False)
    await transactions.mark_dead_lettered(parked.envelope, "a reason")
    await database.execute(
        """
        INSERT INTO dead_letter_actions (topic, "offset", action, operator, reason, message_id)
        VALUES ('a', 0, 'discarded', 'ada', 'why', $1)
        """,
        decided.envelope.id,
    )
    ids = [each.envelope.id for each in (handled, parked, decided, lost)]
    async with (await database.pool("qnt9_watchlist")).acquire() as conn:
        assert await unknown_messages(conn, "watchlist", ids) == {lost.envelope.id}


async def test_events_that_only_their_topic_has_are_lost(database: Database) -> None:
    known, lost = (
        an_envelope(WatchlistItemAdded, time=datetime.now(UTC)),
        an_envelope(WatchlistItemAdded, time=datetime.now(UTC)),
    )
    await database.execute(
        """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
        VALUES ($1, 'watchlists', 'ada', 'a type', '{}', '{}')
        """,
        known.id,
    )
    async with (await database.pool()).acquire() as conn:
        assert await store.lost_events(conn, [known, lost]) == {lost.id}


async def begin_recovery(database: Database, horizon: str | None = None) -> UUID:
    """A recovery under way. Returns its id."""
    recovery = uuid7()
    async with (await database.pool()).acquire() as conn:
        await store.save_points(conn, recovery, "olga", "a test", {})
        if horizon:
            time = datetime.fromisoformat(horizon)
            await store.set_horizons(conn, recovery, {"watchlist": time})
    return recovery


BEFORE = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("refused", [True, False])
async def test_command_without_effect_waits_for_earlier_ones_of_other_consumers(
    transactions: Transactions, database: Database, refused: bool
) -> None:
    """Its events may never have been published, so nothing says that it had an effect."""
    recovery = await begin_recovery(database, horizon="2026-01-01T11:59:59Z")
    command = received(COMMAND, actor=USER, time=BEFORE)

    async def handle_without_effect() -> None:
        async with transactions.begin() as tx:
            tx.complete(command, Rejected("unknown-user") if refused else Succeeded())

    with pytest.raises(AwaitedError):
        await handle_without_effect()
    assert not await database.fetch("SELECT FROM inbox")
    async with (await database.pool()).acquire() as conn:
        await store.set_horizons(conn, recovery, {"watchlist": BEFORE})
    await handle_without_effect()
    assert len(await database.fetch("SELECT FROM inbox")) == 1


async def test_refused_command_waits_while_no_horizon_is_known(
    transactions: Transactions, database: Database
) -> None:
    recovery = await begin_recovery(database)
    command = received(COMMAND, actor=USER, time=BEFORE)
    with pytest.raises(AwaitedError):
        await handle(transactions, command, rejected=True)
    async with (await database.pool()).acquire() as conn:
        await store.finish(conn, recovery)
    await handle(transactions, command, rejected=True)


async def test_command_with_an_effect_or_sent_since_waits_for_no_one(
    transactions: Transactions, database: Database
) -> None:
    await begin_recovery(database)
    await handle(transactions, received(COMMAND, actor=USER, time=BEFORE), rejected=False)
    later = datetime.now(UTC) + timedelta(minutes=1)
    await handle(transactions, received(COMMAND, actor=USER, time=later), rejected=True)
    assert len(await database.fetch("SELECT FROM inbox")) == 2


@pytest.mark.parametrize(
    ("offset", "deadline", "happened"),
    [
        pytest.param(6, timedelta(seconds=10), True, id="read, and perhaps not yet published"),
        pytest.param(7, timedelta(seconds=10), False, id="not read before"),
        pytest.param(6, timedelta(seconds=-1), False, id="would have been published"),
        pytest.param(6, None, True, id="without a deadline"),
    ],
)
async def test_what_was_read_before_the_restore_happened_unless_it_would_have_been_published(
    transactions: Transactions,
    database: Database,
    offset: int,
    deadline: timedelta | None,
    happened: bool,
) -> None:
    """The events of the last commands before a restore may be in no topic."""
    command = received(
        COMMAND, actor=USER, time=BEFORE, deadline=BEFORE + deadline if deadline else None
    )
    command = replace(command, origin=replace(command.origin, offset=offset))
    recovery = uuid7()
    points = {"qnt9.watchlist": {"watchlist.commands": {"0": [3, 7]}}}
    async with (await database.pool()).acquire() as conn:
        await store.save_points(conn, recovery, "olga", "a test", points)
        await store.note_published(conn, recovery, BEFORE)
        await store.note_published(conn, recovery, BEFORE - timedelta(seconds=1))
        assert await transactions.happened(command) is happened
        await store.finish(conn, recovery)
    assert not await transactions.happened(command)


async def test_command_sent_since_the_recovery_began_has_not_happened(
    transactions: Transactions, database: Database
) -> None:
    """It may lie where the group could have been before."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    command = received(COMMAND, actor=USER, time=later)
    points = {"qnt9.watchlist": {"watchlist.commands": {"0": [0, 500]}}}
    async with (await database.pool()).acquire() as conn:
        await store.save_points(conn, uuid7(), "olga", "a test", points)
    assert not await transactions.happened(command)
