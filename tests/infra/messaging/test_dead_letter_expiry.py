"""Commands that have waited as dead letters for too long."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.commands import AddToWatchlist
from contracts.events import UserCommandExpired
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded, outcome_of
from contracts.topics import DEAD_LETTERS_RETENTION, DEAD_LETTERS_SETTLED, WATCHLIST
from infra.messaging.dead_letter_expiry import EXPIRED, expire
from infra.messaging.transaction import Transactions
from tests.support.message_builders import an_envelope, received
from tests.support.outbox import written_events
from tests.support.postgres import Database

COMMAND = AddToWatchlist(symbol="AAPL")
OLD = DEAD_LETTERS_SETTLED + timedelta(hours=1)


@pytest.fixture
async def transactions(database: Database) -> Transactions:
    return Transactions(await database.pool("qnt9_watchlist"), WATCHLIST.name)


async def parked(
    database: Database, transactions: Transactions, *, age: timedelta = OLD, actor: UUID | None
) -> UUID:
    envelope = an_envelope(COMMAND, actor=actor)
    await transactions.mark_dead_lettered(envelope, "a bug")
    await database.execute(
        "UPDATE parked_commands SET parked_at = now() - $2::interval WHERE command_id = $1",
        envelope.id,
        age,
    )
    return envelope.id


async def waiting(database: Database) -> set[UUID]:
    rows = await database.fetch("SELECT command_id FROM parked_commands")
    return {row["command_id"] for row in rows}


async def outcomes(database: Database) -> dict[UUID, Any]:
    rows = await database.fetch("SELECT message_id, outcome FROM inbox")
    return {row["message_id"]: outcome_of(row["outcome"]) for row in rows}


def test_dead_letters_are_kept_longer_than_their_commands_wait() -> None:
    assert DEAD_LETTERS_RETENTION > DEAD_LETTERS_SETTLED


async def test_command_that_waited_too_long_fails_with_an_event(
    database: Database, transactions: Transactions
) -> None:
    actor = uuid7()
    command = await parked(database, transactions, actor=actor)
    assert await expire(transactions, WATCHLIST.name) == 1
    assert await waiting(database) == set()
    assert await outcomes(database) == {command: EXPIRED}
    [written] = await written_events(database)
    assert isinstance(written.event, UserCommandExpired)
    assert (written.event.command_id, written.event.user_id) == (command, actor)
    assert written.about == str(actor)


async def test_command_of_no_one_who_is_known_is_reported_by_its_own_id(
    database: Database, transactions: Transactions
) -> None:
    command = await parked(database, transactions, actor=None)
    assert await expire(transactions, WATCHLIST.name) == 1
    [written] = await written_events(database)
    assert written.about == str(command)


async def test_command_that_waits_for_less_stays_parked(
    database: Database, transactions: Transactions
) -> None:
    age = DEAD_LETTERS_SETTLED - timedelta(hours=1)
    command = await parked(database, transactions, age=age, actor=uuid7())
    assert await expire(transactions, WATCHLIST.name) == 0
    assert await waiting(database) == {command}
    assert await outcomes(database) == {}


async def test_command_that_was_handled_meanwhile_keeps_its_outcome(
    database: Database, transactions: Transactions
) -> None:
    order = received(COMMAND, actor=uuid7())
    async with transactions.begin() as tx:
        tx.complete(order, Succeeded())
    await transactions.mark_dead_lettered(order.envelope, "a bug")
    await database.execute("UPDATE parked_commands SET parked_at = now() - $1::interval", OLD)
    assert await expire(transactions, WATCHLIST.name) == 1
    assert await waiting(database) == set()
    assert await outcomes(database) == {order.envelope.id: Succeeded()}
    assert await written_events(database) == []


async def test_many_commands_expire_in_batches_each_once(
    database: Database, transactions: Transactions
) -> None:
    commands = {await parked(database, transactions, actor=uuid7()) for _ in range(5)}
    assert await expire(transactions, WATCHLIST.name, at_once=2) == 5
    assert (await outcomes(database)).keys() == commands
    assert len(await written_events(database)) == 5
    assert await expire(transactions, WATCHLIST.name) == 0


async def test_role_cannot_unpark_a_command_before_its_time(
    database: Database, transactions: Transactions
) -> None:
    await parked(database, transactions, age=timedelta(days=1), actor=uuid7())
    await database.execute(
        """
        INSERT INTO parked_commands (command_id, consumer, type, reason, parked_at)
        VALUES ($1, 'signup', 'qnt9.command.sign_up.v1', 'a bug', now() - $2::interval)
        """,
        uuid7(),
        OLD,
    )
    pool = await database.pool("qnt9_watchlist")
    assert await pool.execute("DELETE FROM parked_commands") == "DELETE 0"
    assert len(await waiting(database)) == 2
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("UPDATE parked_commands SET parked_at = now()")


def test_expired_command_is_reported_as_discarded() -> None:
    assert isinstance(EXPIRED, Rejected)
    assert EXPIRED.code == "discarded"
