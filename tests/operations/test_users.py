"""The first admin, made by an operator: events and all, once."""

import asyncio
from uuid import UUID

import pytest

from contracts.events import (
    UserEmailVerified,
    UserPermissionsChanged,
    UserSessionRevoked,
    UserSignedUp,
)
from contracts.ids import uuid7
from infra.messaging.transaction import Transactions
from infra.security.address_hmac import address_hash
from operations import users
from operations.users import Admin, Did
from tests.support.outbox import MemoryOutcomeNotifier, events, revealed, written_events
from tests.support.postgres import Database
from tests.support.users import ADA, ADDRESS_KEY, a_user


@pytest.fixture
def outcome_notifier() -> MemoryOutcomeNotifier:
    return MemoryOutcomeNotifier()


@pytest.fixture
async def operator(database: Database, outcome_notifier: MemoryOutcomeNotifier) -> Transactions:
    return Transactions(await database.pool(), "operator", outcome_notifier)


async def make(operator: Transactions, password_hash: str | None = "a hash") -> Admin | None:
    return await users.make_admin(
        operator,
        ADA,
        address_hash=address_hash(ADDRESS_KEY, ADA),
        password_hash=password_hash,
        operator="root",
    )


async def test_an_address_that_no_one_has_becomes_a_verified_admin(
    database: Database, operator: Transactions
) -> None:
    made = await make(operator)
    assert made
    assert made.did is Did.CREATED
    [row] = await database.fetch("SELECT *, email_confirmed_at IS NOT NULL AS verified FROM users")
    assert (row["id"], row["email"], row["password_hash"]) == (made.id, ADA, "a hash")
    assert (row["verified"], row["permissions"]) == (True, ["admin"])
    assert row["address_hash"] == address_hash(ADDRESS_KEY, ADA)
    signed_up, verified, promoted = await events(database)
    assert isinstance(signed_up, UserSignedUp)
    assert isinstance(verified, UserEmailVerified)
    assert await revealed(database, verified.email) == ADA
    assert isinstance(promoted, UserPermissionsChanged)
    assert (promoted.former_permissions, promoted.permissions) == ([], ["admin"])
    assert promoted.operator == "root"


async def test_nothing_on_its_way_to_the_bus_has_the_address_in_clear(
    database: Database, operator: Transactions
) -> None:
    await make(operator)
    assert not [w for w in await written_events(database) if ADA in w.payload]


async def test_again_it_changes_nothing(database: Database, operator: Transactions) -> None:
    first = await make(operator)
    assert first
    for password_hash in ("another hash", None):
        assert await make(operator, password_hash) == Admin(first.id, Did.NOTHING)
    [row] = await database.fetch("SELECT password_hash, version FROM users")
    assert tuple(row.values()) == ("a hash", 1)
    assert len(await events(database)) == 3


async def test_who_has_the_address_is_promoted_and_gateways_hear_of_it(
    database: Database, operator: Transactions, outcome_notifier: MemoryOutcomeNotifier
) -> None:
    ada = await a_user(database, verified=True, password_hash="of ada")
    assert await make(operator, None) == Admin(ada, Did.PROMOTED)
    [row] = await database.fetch("SELECT password_hash, permissions, version FROM users")
    assert tuple(row.values()) == ("of ada", ["admin"], 2)
    assert outcome_notifier.changes.users == {ada}
    [event] = await events(database)
    assert isinstance(event, UserPermissionsChanged)


async def test_without_a_password_no_user_is_made(
    database: Database, operator: Transactions
) -> None:
    await a_user(database)
    assert await make(operator, None) is None
    assert await events(database) == []


async def test_sign_ups_that_wait_for_verification_end(
    database: Database, operator: Transactions, outcome_notifier: MemoryOutcomeNotifier
) -> None:
    waiting = await a_user(database)
    made = await make(operator)
    assert made
    assert made.id != waiting
    ended: list[UUID] = [
        row["id"]
        for row in await database.fetch("SELECT id FROM users WHERE superseded_at IS NOT NULL")
    ]
    assert ended == [waiting]
    assert outcome_notifier.changes.users == {waiting}


async def test_two_operators_at_once_make_one_admin(
    database: Database, operator: Transactions
) -> None:
    made = await asyncio.gather(*(make(operator) for _ in range(4)))
    assert sorted(each.did for each in made if each) == ["created", *["nothing"] * 3]
    assert len({each.id for each in made if each}) == 1


async def test_a_user_is_found_by_address_or_id_without_any_credential(database: Database) -> None:
    ada, late = await a_user(database, verified=True), await a_user(database)
    pool = await database.pool()
    by_address = await users.find(pool, email=ADA)
    assert [row["id"] for row in by_address] == [ada, late]
    [by_id] = await users.find(pool, user_id=late)
    assert not {"email", "password_hash", "address_hash", "display_name"} & {*by_id.keys()}
    assert await users.find(pool, email="nobody@example.com") == []


async def a_session(database: Database, user_id: UUID) -> UUID:
    session_id = uuid7()
    await database.execute(
        """
        INSERT INTO sessions (id, user_id, expires_at)
        VALUES ($1, $2, now() + interval '1 day')
        """,
        session_id,
        user_id,
    )
    return session_id


async def ended(database: Database) -> set[UUID]:
    rows = await database.fetch("SELECT id FROM sessions WHERE ended_at IS NOT NULL")
    return {row["id"] for row in rows}


async def end(operator: Transactions, database: Database, user_id: UUID | None) -> int:
    [row] = await database.fetch("SELECT now() AS now")
    return await users.end_sessions(operator, user_id, begun_before=row["now"], operator="root")


async def test_operator_ends_the_sessions_of_one_user(
    database: Database, operator: Transactions
) -> None:
    ada, bob = await a_user(database), await a_user(database, "bob@example.com")
    of_ada = {await a_session(database, ada) for _ in range(2)}
    await a_session(database, bob)
    assert await end(operator, database, ada) == 2
    assert await ended(database) == of_ada
    reported = await events(database)
    assert {(e.user_id, e.operator) for e in reported if isinstance(e, UserSessionRevoked)} == {
        (ada, "root")
    }
    assert len(reported) == 2
    assert await end(operator, database, ada) == 0


async def test_operator_ends_the_sessions_of_everyone(
    database: Database, operator: Transactions
) -> None:
    users = [await a_user(database), await a_user(database, "bob@example.com")]
    begun = {await a_session(database, user_id) for user_id in users}
    assert await end(operator, database, None) == 2
    assert await ended(database) == begun
