"""Rows that a role may write and see of tables that it shares with others, tried as that role."""

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from contracts.emitters import EMITTED_BY
from contracts.events import Event, UserEmailChangeRequested, WatchlistItemAdded
from contracts.ids import uuid7
from contracts.topics import CARRIED_BY, MAX_DATA_BYTES, MESSAGES
from infra.postgres.pool import Connection
from infra.postgres.privileges import MAX_HEADERS_BYTES, ROLES, consumers_of
from infra.postgres.rights import WITH_INBOX
from tests.support.postgres import Database
from tests.support.users import a_user

REFUSED = asyncpg.InsufficientPrivilegeError
EVENTS = [message for message in MESSAGES.values() if issubclass(message, Event)]


@dataclass(frozen=True)
class OutboxRow:
    """An event as a process writes it; headers that are None are left out."""

    role: str
    event: type[Event]
    id: UUID
    headers: dict[str, Any]
    payload: str = "{}"
    aggregate_id: str = "somebody"

    async def write(self, conn: Connection) -> None:
        aggregate, _, _ = CARRIED_BY[self.event].name.rpartition(".")
        await conn.execute(
            """
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            self.id,
            aggregate,
            self.aggregate_id,
            self.event.type,
            self.payload,
            self.headers,
        )

    def with_headers(self, **headers: Any) -> "OutboxRow":
        kept = {name: value for name, value in (self.headers | headers).items() if value}
        return replace(self, headers=kept)


def an_event_of(role: str, event: type[Event], *, time: datetime | None = None) -> OutboxRow:
    row_id = uuid7()
    sources = [f"urn:qnt9:{consumer.name}" for consumer in consumers_of(role)] or ["urn:qnt9:x"]
    headers = {
        "ce_id": str(row_id),
        "ce_type": event.type,
        "ce_time": (time or datetime.now(UTC)).isoformat(),
        "ce_source": sources[0],
        "ce_subject": "somebody",
    }
    return OutboxRow(role, event, row_id, headers)


@pytest.mark.parametrize("role", ROLES)
async def test_role_emits_its_own_events_and_no_others(
    role: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = await database.pool(f"qnt9_{role}")
    own = EMITTED_BY.get(role, ())
    for event in EVENTS:
        async with pool.acquire() as conn:
            if event in own:
                await an_event_of(role, event).write(conn)
            else:
                with pytest.raises(REFUSED):
                    await an_event_of(role, event).write(conn)
    assert len(await database.fetch("SELECT FROM outbox")) == len(own)
    with capsys.disabled():
        sys.stdout.write(f"\n{role}: {len(EVENTS)} events tried, {len(own)} taken\n")


A_USER_EVENT = UserEmailChangeRequested
LATE = datetime.now(UTC) - timedelta(days=1)
GOOD = an_event_of("accounts", A_USER_EVENT)


@pytest.mark.parametrize(
    "row",
    [
        GOOD.with_headers(ce_id=str(uuid7())),
        GOOD.with_headers(ce_id=None),
        GOOD.with_headers(ce_type=WatchlistItemAdded.type),
        GOOD.with_headers(ce_type=None),
        GOOD.with_headers(ce_source="urn:qnt9:watchlist"),
        GOOD.with_headers(ce_source=None),
        GOOD.with_headers(ce_subject="somebody else"),
        GOOD.with_headers(ce_time=LATE.isoformat()),
        GOOD.with_headers(ce_time=(LATE + timedelta(days=3)).isoformat()),
        GOOD.with_headers(ce_time=None),
        GOOD.with_headers(a_list=[1, 2]),
        GOOD.with_headers(a_number=1),
        GOOD.with_headers(long="x" * MAX_HEADERS_BYTES),
        replace(GOOD, payload='"text"'),
        replace(GOOD, payload="no JSON"),
        replace(GOOD, payload=orjson.dumps({"x": "x" * MAX_DATA_BYTES}).decode()),
        replace(GOOD, aggregate_id="x" * 513).with_headers(ce_subject="x" * 513),
    ],
)
async def test_event_that_contradicts_itself_or_is_huge_is_refused(
    row: OutboxRow, database: Database
) -> None:
    pool = await database.pool("qnt9_accounts")
    async with pool.acquire() as conn:
        with pytest.raises(REFUSED):
            await row.write(conn)
        await an_event_of("accounts", A_USER_EVENT).write(conn)


@pytest.mark.parametrize("column", ["seq", "created_at", "published_at"])
async def test_no_worker_chooses_place_and_time_of_its_event(
    column: str, database: Database
) -> None:
    pool = await database.pool("qnt9_watchlist")
    with pytest.raises(REFUSED):
        await pool.execute(f"INSERT INTO outbox ({column}) VALUES (DEFAULT)")


@pytest.mark.parametrize("role", WITH_INBOX)
async def test_role_sees_and_writes_what_its_own_consumers_handled(
    role: str, database: Database
) -> None:
    own = {consumer.name for consumer in consumers_of(role)}
    consumers = {c.name: c for other in ROLES for c in consumers_of(other)}
    await database.execute(
        """
        INSERT INTO inbox (message_id, consumer, type, outcome)
        SELECT gen_random_uuid(), consumer, 'a', '{}' FROM unnest($1::text[]) AS consumer
        """,
        list(consumers),
    )
    pool = await database.pool(f"qnt9_{role}")
    assert {row["consumer"] for row in await pool.fetch("SELECT consumer FROM inbox")} == own
    for consumer in consumers:
        for table, key in (("inbox", "message_id"), ("parked_commands", "command_id")):
            reason = ", reason" if table == "parked_commands" else ", fingerprint"
            statement = (
                f"INSERT INTO {table} ({key}, consumer, type{reason}) VALUES ($1, $2, 'a', 'b')"
            )
            if consumer in own:
                await pool.execute(statement, uuid7(), consumer)
            else:
                with pytest.raises(REFUSED):
                    await pool.execute(statement, uuid7(), consumer)


async def test_huge_outcome_is_refused(database: Database) -> None:
    pool = await database.pool("qnt9_watchlist")
    statement = (
        "INSERT INTO inbox (message_id, consumer, type, outcome) VALUES ($1, 'watchlist', 'a', $2)"
    )
    await pool.execute(statement, uuid7(), {"result": "x" * 60_000})
    with pytest.raises(REFUSED):
        await pool.execute(statement, uuid7(), {"result": "x" * 70_000})


async def test_sign_up_makes_no_confirmed_user_and_no_admin(database: Database) -> None:
    pool = await database.pool("qnt9_signup")
    columns = "INSERT INTO users (id, email, address_hash, password_hash"
    await pool.execute(f"{columns}) VALUES ($1, 'a@example.com', 'a', 'h')", uuid7())
    for column, value in (
        ("email_confirmed_at", "now()"),
        ("permissions", "'{admin}'"),
        ("tier", "'pro'"),
        ("version", "2"),
    ):
        with pytest.raises(REFUSED):
            await pool.execute(
                f"{columns}, {column}) VALUES ($1, 'b@example.com', 'b', 'h', {value})", uuid7()
            )


@pytest.mark.parametrize("role", [role for role in ROLES if role != "accounts"])
async def test_no_role_but_accounts_reads_a_password_hash(role: str, database: Database) -> None:
    await a_user(database)
    pool = await database.pool(f"qnt9_{role}")
    for statement in ("SELECT password_hash FROM users", "SELECT users FROM users"):
        with pytest.raises(REFUSED):
            await pool.fetch(statement)


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_lists_the_keys_of_personal_data(role: str, database: Database) -> None:
    await a_user(database)
    pool = await database.pool(f"qnt9_{role}")
    for statement in (
        "SELECT secret FROM personal_keys",
        "SELECT id FROM personal_keys",
        "SELECT count(*) FROM personal_keys",
        "SELECT 1 FROM personal_keys FOR SHARE",
    ):
        with pytest.raises(REFUSED):
            await pool.fetch(statement)


async def test_quotes_reads_no_personal_key_even_by_id(database: Database) -> None:
    ada = await a_user(database)
    for role, allowed in (("watchlist", True), ("quotes", False), ("relay", False)):
        pool = await database.pool(f"qnt9_{role}")
        if allowed:
            assert await pool.fetch("SELECT user_key($1)", ada)
            assert not await pool.fetch("SELECT user_key($1)", uuid7())
        for call in ("day_key(current_date)", "hold_personal_keys('{}')"):
            with pytest.raises(REFUSED):
                await pool.fetch(f"SELECT {call}")
        if not allowed:
            with pytest.raises(REFUSED):
                await pool.fetch("SELECT user_key($1)", ada)


@pytest.mark.parametrize("role", ["signup", "watchlist"])
async def test_who_only_locks_a_user_changes_nothing_of_it(role: str, database: Database) -> None:
    ada = await a_user(database)
    pool = await database.pool(f"qnt9_{role}")
    assert await pool.fetch("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", ada)
    with pytest.raises(REFUSED):
        await pool.execute("UPDATE users SET updated_at = now() WHERE id = $1", ada)
