import asyncio
from functools import partial
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from contracts.events import UserErased, WatchlistItemAdded
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from infra.messaging.inbound import InboundMessage, RawEvent
from infra.postgres.pool import Pool
from tests.support.message_builders import an_envelope, an_origin
from tests.support.outbox import written_events
from tests.support.postgres import Database
from tests.support.users import ADA, a_user
from tests.support.waiting import until
from tests.support.workers.password_slice import GuardedSlice
from workers.audit import store as audit
from workers.audit.rules import Client, entry_of
from workers.notifications import store as notifications
from workers.watchlist import store as watchlist

CLEAR = ("ip_address", "user_agent")


async def everything(database: Database) -> str:
    """Every row of every table, as text."""
    tables = await database.fetch(
        """
        SELECT oid::regclass::text AS name FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        """
    )
    rows = [await database.fetch(f"SELECT * FROM {table['name']}") for table in tables]
    return str(rows)


async def a_trail(guarded: GuardedSlice, user_id: UUID, text: str) -> None:
    """Something in each place where a user leaves something."""
    await guarded.session(user_id)
    for purpose in ("verify", "reset"):
        await guarded.mailed_token(user_id, purpose, queued=purpose == "reset")
    await guarded.database.execute(
        "INSERT INTO watchlist_items (user_id, symbol, note) VALUES ($1, 'AAPL', $2)", user_id, text
    )
    await guarded.database.execute(
        """
        INSERT INTO inbox (message_id, consumer, type, actor_id, outcome)
        VALUES ($1, 'watchlist', 'qnt9.command.add_to_watchlist.v1', $2, $3)
        """,
        uuid7(),
        user_id,
        Succeeded({"symbol": "AAPL", "note": text}, created=True).to_json(),
    )
    await guarded.database.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent, created_at,
                               event_id, type, topic, partition, "offset", headers, payload)
        VALUES ($1, 'user.signin', '{}', '203.0.113.7', $2, now(), $3, '', 'users.events', 0, 0,
                '{}', '')
        """,
        user_id,
        text,
        uuid7(),
    )


async def left(database: Database, table: str, user_id: UUID) -> list[dict[str, Any]]:
    return await database.fetch(f"SELECT * FROM {table} WHERE user_id = $1", user_id)


async def test_nothing_of_the_user_is_left_in_clear_and_the_key_is_gone(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user(display_name="Lovelace-canary")
    await a_trail(guarded, ada, "note-canary")
    assert "note-canary" in await everything(guarded.database)
    assert await guarded.erase(ada) == Succeeded()
    kept = await everything(guarded.database)
    for canary in ("Lovelace-canary", "note-canary", ADA, "203.0.113.7", "an error"):
        assert canary not in kept
    row = await guarded.row(ada)
    assert row["erased_at"]
    assert [row[c] for c in ("email", "display_name", "password_hash")] == [None] * 3
    assert not await guarded.database.fetch("SELECT FROM personal_keys")
    for table in ("watchlist_items", "sessions", "mailed_tokens"):
        assert not await left(guarded.database, table, ada), table
    assert not await guarded.database.fetch("SELECT FROM refresh_tokens")
    mails = await left(guarded.database, "mails", ada)
    assert {(m["status"], m["parameters"]) for m in mails} == {("sent", ""), ("cancelled", "")}
    (logged,) = await left(guarded.database, "audit_log", ada)
    assert [logged[column] for column in CLEAR] == [None, None]
    (event,) = await written_events(guarded.database)
    assert event.event == UserErased(user_id=ada)
    assert guarded.outcome_notifier.changes.users == {ada}


async def test_the_outcome_of_an_older_command_says_only_that_it_succeeded(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    await a_trail(guarded, ada, "a note")
    await guarded.erase(ada)
    rows = await guarded.database.fetch("SELECT outcome FROM inbox WHERE consumer = 'watchlist'")
    assert rows == [{"outcome": {"status": "succeeded", "result": None, "created": True}}]


async def test_everyone_else_keeps_everything(guarded: GuardedSlice) -> None:
    ada, bob = await guarded.user(), await guarded.user("bob@example.com")
    await a_trail(guarded, bob, "bob's note")
    before = [await left(guarded.database, t, bob) for t in ("watchlist_items", "audit_log")]
    await guarded.erase(ada)
    after = [await left(guarded.database, t, bob) for t in ("watchlist_items", "audit_log")]
    assert after == before
    assert len(await guarded.open_sessions(bob)) == 1
    assert (await guarded.row(bob))["email"] == "bob@example.com"


async def test_the_sign_ups_that_a_confirmation_ended_are_forgotten_with_it(
    guarded: GuardedSlice,
) -> None:
    eve = await a_user(guarded.database, superseded=True, display_name="Eve")
    ada = await guarded.user()
    assert await guarded.erase(ada) == Succeeded()
    assert (await guarded.row(eve))["email"] is None
    assert {each.about for each in await written_events(guarded.database)} == {str(ada), str(eve)}


async def test_who_has_confirmed_nothing_erases_no_one_else(guarded: GuardedSlice) -> None:
    eve = await a_user(guarded.database, display_name="Eve")
    ada = await guarded.user(verified=False)
    assert await guarded.erase(ada) == Succeeded()
    assert (await guarded.row(eve))["email"] == ADA


async def test_a_second_erasure_finds_no_one(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    assert await guarded.erase(ada) == Succeeded()
    assert await guarded.erase(ada) == Rejected("unknown-user")
    assert len(await written_events(guarded.database)) == 1


async def test_the_address_is_free_for_a_new_account(guarded: GuardedSlice) -> None:
    await guarded.erase(await guarded.user())
    again = await guarded.user()
    assert (await guarded.row(again))["erased_at"] is None


async def test_an_event_that_is_being_recorded_is_waited_for(guarded: GuardedSlice) -> None:
    """Or its client would be written in clear after the log was cleared."""
    ada = await guarded.user()
    pool = await guarded.database.pool("qnt9_audit")
    async with pool.acquire() as conn, conn.transaction():
        assert await audit.hold_keys(conn, [f"user:{ada}"])
        erasing = asyncio.create_task(guarded.erase(ada))

        await until(partial(somebody_waits, guarded.database))
        await audit.insert(
            conn, [(entry_of(recorded(ada)), Client(ip_address("203.0.113.7"), "a browser"))]
        )
    assert await erasing == Succeeded()
    (row,) = await left(guarded.database, "audit_log", ada)
    assert [row[column] for column in CLEAR] == [None, None]


async def test_a_watchlist_that_is_being_changed_is_waited_for(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    pool = await guarded.database.pool("qnt9_watchlist")
    async with pool.acquire() as conn, conn.transaction():
        assert await watchlist.lock_owners(conn, [ada]) == [ada]
        erasing = asyncio.create_task(guarded.erase(ada))
        await until(partial(somebody_waits, guarded.database))
        await watchlist.save(conn, [watchlist.Change(ada, "AAPL", kept=True, note="a note")])
    assert await erasing == Succeeded()
    assert not await left(guarded.database, "watchlist_items", ada)
    async with pool.acquire() as conn, conn.transaction():
        assert not await watchlist.lock_owners(conn, [ada]), "later commands find nobody"


async def test_mails_that_are_being_queued_are_waited_for(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    pool = await guarded.database.pool("qnt9_verification")
    async with pool.acquire() as conn, conn.transaction():
        assert await notifications.recipients(conn, [ada])
        erasing = asyncio.create_task(guarded.erase(ada))
        await until(partial(somebody_waits, guarded.database))
        await guarded.mailed_token(ada, "email_change", queued=True)
    assert await erasing == Succeeded()
    assert not await left(guarded.database, "mailed_tokens", ada)
    async with pool.acquire() as conn, conn.transaction():
        assert not await notifications.recipients(conn, [ada])


async def somebody_waits(database: Database) -> bool:
    return bool(await database.fetch("SELECT FROM pg_locks WHERE NOT granted"))


def recorded(user_id: UUID) -> InboundMessage[RawEvent]:
    envelope = an_envelope(WatchlistItemAdded)
    body = {"user_id": str(user_id), "symbol": "AAPL"}
    return InboundMessage(envelope, RawEvent(body=body, value=b"{}", headers={}), None, an_origin())


@pytest.mark.parametrize("role", ["gateway", "signup", "verification", "watchlist", "audit"])
async def test_no_one_else_erases_and_no_one_else_changes_the_log(
    database: Database, role: str
) -> None:
    pool: Pool = await database.pool(f"qnt9_{role}")
    for statement in (
        "SELECT erase_user(gen_random_uuid())",
        "UPDATE audit_log SET user_agent = NULL",
        "DELETE FROM audit_log",
        "DELETE FROM personal_keys",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_the_slice_changes_the_log_only_by_erasing(guarded: GuardedSlice) -> None:
    for statement in (
        "UPDATE audit_log SET user_agent = NULL",
        "DELETE FROM personal_keys",
        "DELETE FROM watchlist_items",
        "UPDATE mails SET parameters = ''",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await guarded.parts.pool.execute(statement)
