"""What the relay removes of the tables that every worker writes, with the relay's rights."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from contracts.commands import AddToWatchlist
from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from contracts.topics import MIN_REMEMBERED
from infra.messaging.transaction import Transactions
from infra.postgres.retention import Rule, run
from tests.support.message_builders import received
from tests.support.postgres import Database
from workers.relay import retention

MONTH, FORTNIGHT = timedelta(days=30), timedelta(days=14)
INBOX, OUTBOX = retention.rules(outcomes=MONTH, outbox=FORTNIGHT)
COMMAND = AddToWatchlist(symbol="AAPL")


async def handled(database: Database, days: float) -> UUID:
    message_id = uuid7()
    await database.execute(
        """
        INSERT INTO inbox (message_id, consumer, type, handled_at)
        VALUES ($1, 'watchlist', 'x', now() - $2::interval)
        """,
        message_id,
        timedelta(days=days),
    )
    return message_id


async def remembered(database: Database) -> set[UUID]:
    return {row["message_id"] for row in await database.fetch("SELECT message_id FROM inbox")}


async def event(database: Database, days: int, *, published: bool = True) -> UUID:
    """Of so many days ago, in that day's partition."""
    at = datetime.now(UTC) - timedelta(days=days)
    first = at.replace(hour=0, minute=0, second=0, microsecond=0)
    await database.execute(
        f"""
        CREATE TABLE IF NOT EXISTS outbox_{first:%Y%m%d} PARTITION OF outbox
           FOR VALUES FROM ('{first}') TO ('{first + timedelta(days=1)}')
        """
    )
    return await event_of_no_day(database, at, published=published)


async def event_of_no_day(database: Database, at: datetime, *, published: bool = True) -> UUID:
    event_id = uuid7()
    await database.execute(
        """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at,
                            published_at)
        VALUES ($1, 'watchlists', 'ada', 'x', '{}', '{}', $2,
                CASE WHEN $3 THEN $2::timestamptz END)
        """,
        event_id,
        at,
        published,
    )
    return event_id


async def kept(database: Database) -> set[UUID]:
    return {row["id"] for row in await database.fetch("SELECT id FROM outbox")}


async def relay_runs(database: Database, rule: Rule, *, at_once: int = 1_000) -> int:
    return await run(await database.pool("qnt9_relay"), rule, at_once=at_once, pause=0)


async def test_outcomes_go_after_their_time_in_batches(database: Database) -> None:
    for _ in range(7):
        await handled(database, 30.01)
    young = {await handled(database, days) for days in (29.99, 8, 0)}
    assert await relay_runs(database, INBOX, at_once=3) == 7
    assert await remembered(database) == young


async def test_what_waits_as_a_dead_letter_is_remembered_for_as_long(database: Database) -> None:
    command = received(COMMAND)
    await handled(database, 400)
    watchlist = Transactions(await database.pool("qnt9_watchlist"), "watchlist")
    async with watchlist.begin() as tx:
        tx.complete(command, Succeeded())
    await watchlist.mark_dead_lettered(
        command.envelope, "set aside by a process that was killed right after"
    )
    await database.execute("UPDATE inbox SET handled_at = now() - interval '400 days'")
    await relay_runs(database, INBOX)
    assert await remembered(database) == {command.envelope.id}
    await database.execute("DELETE FROM parked_commands")
    assert await relay_runs(database, INBOX) == 1


async def test_nothing_is_forgotten_while_it_may_be_delivered_again(database: Database) -> None:
    await handled(database, MIN_REMEMBERED.days - 0.01)
    too_soon = MIN_REMEMBERED - timedelta(days=1)
    for rule in retention.rules(outcomes=too_soon, outbox=timedelta(hours=23)):
        with pytest.raises(asyncpg.RaiseError):
            await relay_runs(database, rule)
    (least, _) = retention.rules(outcomes=MIN_REMEMBERED, outbox=FORTNIGHT)
    assert await relay_runs(database, least) == 0


async def test_days_of_which_all_is_published_go_whole(database: Database) -> None:
    for days in (15, 16, 40):
        await event(database, days)
    stays = {await event(database, days) for days in (0, 1, 13, 14)}
    stuck = {await event(database, 20, published=False), await event(database, 20)}
    await relay_runs(database, OUTBOX)
    assert await kept(database) == stays | stuck
    await database.execute("UPDATE outbox SET published_at = now() WHERE published_at IS NULL")
    await relay_runs(database, OUTBOX)
    assert await kept(database) == stays


async def test_a_transaction_drops_eight_days_at_most(database: Database) -> None:
    for days in range(15, 25):
        await event(database, days)
    for expected in (2, 0):
        await relay_runs(database, OUTBOX)
        assert len(await kept(database)) == expected


async def test_without_its_day_an_event_goes_by_itself(database: Database) -> None:
    now = datetime.now(UTC)
    for _ in range(5):
        await event_of_no_day(database, now - timedelta(days=50))
    stays = {
        await event_of_no_day(database, now - timedelta(days=50), published=False),
        await event_of_no_day(database, now - timedelta(days=13)),
    }
    assert await relay_runs(database, OUTBOX, at_once=2) == 5
    assert await kept(database) == stays


async def test_who_writes_the_outbox_is_not_held_up_by_a_drop_that_waits(
    database: Database,
) -> None:
    old = await event(database, 20)
    owner = await database.pool()
    async with owner.acquire() as writer, writer.transaction():
        await writer.execute("UPDATE outbox SET published_at = now() WHERE false")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await relay_runs(database, OUTBOX)
        await asyncio.wait_for(event_of_no_day(database, datetime.now(UTC)), 5)
    assert old in await kept(database)
    await relay_runs(database, OUTBOX)
    assert old not in await kept(database)
