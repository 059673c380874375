"""What this process knows of ended sessions and changed users, on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self, cast
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from contracts.ids import uuid7
from gateway.auth import revocation as access_module
from gateway.auth.revocation import LOAD_SECONDS, REVOCATION_RETENTION, Revocations
from gateway.problems import ProblemError
from infra.messaging.access_changes import CHANNEL, AccessChanges
from infra.security.access_tokens import Principal
from tests.support.postgres import Database
from tests.support.users import a_user
from tests.support.waiting import until


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Announcements:
    """The cache server's channel: what is said on it, until it goes away."""

    said: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    subscribed: int = 0

    def pubsub(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def subscribe(self, channel: str) -> None:
        assert channel == CHANNEL
        self.subscribed += 1
        await self.said.put({"type": "subscribe", "data": 1})

    async def get_message(self, **_: float) -> dict[str, Any]:
        message = await self.said.get()
        if message is None:
            raise RedisConnectionError
        return message

    async def announce(self, data: bytes) -> None:
        await self.said.put({"type": "message", "data": data})

    async def go_away(self) -> None:
        await self.said.put(None)


@dataclass
class Known:
    """What the gateway knows, and the database that it reads as the gateway."""

    access: Revocations
    announcements: Announcements
    clock: Clock
    database: Database

    async def session(self, user_id: UUID) -> UUID:
        session_id = uuid7()
        query = "INSERT INTO sessions (id, user_id) VALUES ($1, $2)"
        await self.database.execute(query, session_id, user_id)
        return session_id

    async def end(self, session_id: UUID, ago: str = "0") -> None:
        query = "UPDATE sessions SET ended_at = now() - $2::text::interval WHERE id = $1"
        await self.database.execute(query, session_id, ago)

    async def change(self, user_id: UUID) -> None:
        await self.database.execute(
            """
            UPDATE users
               SET tier = 'pro', permissions = '{admin}', email_confirmed_at = now(),
                   version = version + 1, updated_at = now()
             WHERE id = $1
            """,
            user_id,
        )

    def lets_in(self, principal: Principal) -> bool:
        with suppress(ProblemError):
            self.access.current(principal)
            return True
        return False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both loops, as the gateway runs them."""
        loops = [asyncio.create_task(each) for each in (self.access.listen(), self.access.follow())]
        try:
            await until(lambda: self.access.listening and self.access.problem is None)
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)


def a_principal(
    user_id: UUID | None = None, session_id: UUID | None = None, *, version: int = 1
) -> Principal:
    return Principal(
        user_id or uuid7(),
        session_id or uuid7(),
        "free",
        verified=False,
        permissions=(),
        version=version,
        expires_at=0,
    )


@pytest.fixture
async def known(database: Database) -> Known:
    clock, announcements = Clock(), Announcements()
    pool = await database.pool("qnt9_gateway")
    return Known(
        Revocations(cast("Redis", announcements), pool, clock), announcements, clock, database
    )


async def test_before_the_first_reading_no_one_is_let_in(known: Known) -> None:
    assert known.access.problem
    with pytest.raises(ProblemError) as error:
        known.access.current(a_principal())
    assert error.value.code == "reads-unavailable"
    await known.access.read()
    assert known.access.problem is None
    assert known.lets_in(a_principal())


async def test_a_session_that_has_ended_is_not_let_in_and_the_others_are(known: Known) -> None:
    user_id = await a_user(known.database)
    ended, goes_on = await known.session(user_id), await known.session(user_id)
    await known.end(ended)
    await known.access.read()
    with pytest.raises(ProblemError) as error:
        known.access.current(a_principal(user_id, ended))
    assert error.value.code == "unauthenticated"
    assert 'error="invalid_token"' in error.value.headers["WWW-Authenticate"]
    assert known.lets_in(a_principal(user_id, goes_on))


async def test_what_ended_before_any_token_of_today_is_not_read(known: Known) -> None:
    user_id = await a_user(known.database)
    session_id = await known.session(user_id)
    await known.end(session_id, ago="12 minutes")
    await known.access.read()
    assert known.lets_in(a_principal(user_id, session_id))


async def test_a_changed_user_is_who_the_database_says(known: Known) -> None:
    user_id = await a_user(known.database)
    principal = a_principal(user_id)
    await known.change(user_id)
    await known.access.read()
    current = known.access.current(principal)
    assert (current.tier, current.permissions) == ("pro", ("admin",))
    assert (current.verified, current.version) == (True, 2)
    assert (current.user_id, current.session_id) == (user_id, principal.session_id)


async def test_a_token_newer_than_what_is_known_is_believed(known: Known) -> None:
    user_id = await a_user(known.database)
    await known.change(user_id)
    await known.access.read()
    principal = a_principal(user_id, version=3)
    assert known.access.current(principal) is principal


@pytest.mark.parametrize("how", ["superseded_at", "erased_at"])
async def test_an_account_that_is_no_more_is_not_let_in(known: Known, how: str) -> None:
    user_id = await a_user(known.database)
    await known.database.execute(f"UPDATE users SET {how} = now(), updated_at = now()")
    await known.access.read()
    assert not known.lets_in(a_principal(user_id, version=9))


async def test_later_readings_find_what_is_new_and_forget_nothing(known: Known) -> None:
    user_id = await a_user(known.database)
    first, second = await known.session(user_id), await known.session(user_id)
    await known.end(first)
    await known.access.read()
    await known.database.execute("DELETE FROM sessions WHERE id = $1", first)
    await known.end(second)
    known.clock.time += LOAD_SECONDS
    await known.access.read()
    assert not known.lets_in(a_principal(user_id, first))
    assert not known.lets_in(a_principal(user_id, second))


async def test_what_no_token_can_be_wrong_about_any_more_is_forgotten(known: Known) -> None:
    user_id = await a_user(known.database)
    known.access.session_ended(uuid7())
    await known.change(user_id)
    await known.access.read()
    await known.database.execute("UPDATE users SET updated_at = now() - interval '1 day'")
    known.clock.time += REVOCATION_RETENTION.total_seconds()
    await known.access.read()
    assert not known.access._ended
    assert not known.access._changed


async def test_an_announced_end_counts_at_once_without_the_database(known: Known) -> None:
    session_id = uuid7()
    async with known.running():
        await known.announcements.announce(AccessChanges({session_id}, set()).to_json())
        await until(lambda: not known.lets_in(a_principal(session_id=session_id)))


async def test_of_an_announced_user_the_database_is_asked(known: Known) -> None:
    user_id, unchanged = await a_user(known.database), uuid7()
    async with known.running():
        await known.change(user_id)
        await known.announcements.announce(AccessChanges(set(), {user_id, unchanged}).to_json())
        await until(lambda: known.access.current(a_principal(user_id)).tier == "pro")
    assert known.access.current(a_principal(unchanged)).tier == "free"


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'{"sessions": [1], "users": []}', b"\xff"])
async def test_an_announcement_that_is_none_is_passed_over(known: Known, data: bytes) -> None:
    session_id = uuid7()
    async with known.running():
        await known.announcements.announce(data)
        await known.announcements.announce(AccessChanges({session_id}, set()).to_json())
        await until(lambda: not known.lets_in(a_principal(session_id=session_id)))


async def test_without_announcements_the_views_are_read(known: Known) -> None:
    user_id = await a_user(known.database)
    session_id = await known.session(user_id)
    async with known.running():
        await known.announcements.go_away()
        await known.end(session_id)
        await until(lambda: known.announcements.subscribed == 2)
        await until(lambda: not known.lets_in(a_principal(user_id, session_id)))


async def test_a_database_that_goes_away_and_comes_back_is_read_again(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "RETRY_SECONDS", 0.0)
    user_id = await a_user(known.database)
    ended, later = await known.session(user_id), await known.session(user_id)
    await known.end(ended)
    async with known.running():
        await known.database.end_connections("qnt9_gateway")
        await known.end(later)
        known.clock.time += LOAD_SECONDS
        known.access._called.set()
        await until(lambda: not known.lets_in(a_principal(user_id, later)))
    assert not known.lets_in(a_principal(user_id, ended))
