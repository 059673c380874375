"""Sessions that end: by themselves, by their user, by signing out."""

import asyncio
import hashlib
from datetime import timedelta

import pytest

from contracts.commands import RevokeSession, SignOut
from contracts.events import (
    UserSessionRevoked,
    UserSignedOut,
)
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from infra.messaging.inbound import PoisonError
from tests.support.message_builders import A_CLIENT, received
from tests.support.outbox import events, revealed
from tests.support.workers.accounts_slice import AccountsSlice
from tests.support.workers.sessions import A_MOMENT, INVALID, ended
from workers.accounts.rules import REFRESH_LIFETIME, SESSION_LIFETIME
from workers.accounts.sessions.rules import GRACE


async def test_an_unused_session_ends_by_itself(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    await deps.later(REFRESH_LIFETIME + A_MOMENT)
    assert await deps.refused(token) == INVALID


async def test_no_session_outlives_its_age_however_often_it_is_used(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    step = timedelta(days=29)
    for _ in range(SESSION_LIFETIME // step):
        await deps.later(step)
        token = (await deps.refreshed(token))["refresh_token"]
    await deps.later(SESSION_LIFETIME % step + A_MOMENT)
    assert await deps.refused(token) == INVALID


@pytest.mark.parametrize("how", ["superseded_at", "erased_at"])
async def test_an_account_that_has_ended_is_refreshed_no_more(
    deps: AccountsSlice, how: str
) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    await deps.database.execute(f"UPDATE users SET {how} = now()")
    assert await deps.refused(token) == INVALID


async def test_past_its_deadline_nothing_is_spent(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    await deps.handle(deps.refresh(token, timeout=timedelta(0)))
    assert deps.outcomes[-1] == Rejected("try-again")
    await deps.later(2 * GRACE)
    assert await deps.refreshed(token)


async def test_without_a_deadline_or_with_a_bad_reply_key_it_is_set_aside(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    await deps.take(deps.refresh(token, timeout=None), deps.refresh(token, reply_key="*"))
    assert [dead_letter.failure.reason for dead_letter in deps.dead_letters.written] == [
        "a command for tokens without a deadline",
        "the reply key is not valid",
    ]
    (kept,) = await deps.sessions()
    assert kept["spent_at"] is None


async def test_of_refresh_tokens_only_hashes_are_kept_and_nothing_leaves_in_clear(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    first = (await deps.signed_in())["refresh_token"]
    second = (await deps.refreshed(first))["refresh_token"]
    kept = {row["token_hash"] for row in await deps.sessions()}
    assert kept == {hashlib.sha256(token.encode()).digest() for token in (first, second)}
    rows = await deps.database.fetch(
        "SELECT outcome::text AS text FROM inbox UNION ALL SELECT payload || headers FROM outbox"
    )
    for token in (first, second):
        assert not any(token.partition(".")[2] in row["text"] for row in rows)


async def test_signing_out_ends_the_session_once(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    tokens = await deps.signed_in()
    session_id = deps.principal(tokens).session_id
    command = received(SignOut(session_id=session_id), actor=user_id)
    await deps.handle(command)
    await deps.take(command)
    await deps.take(received(SignOut(session_id=session_id), actor=user_id))
    assert deps.outcomes[1:] == [Succeeded()] * 3
    assert await ended(deps) == [True]
    assert deps.outcome_notifier.changes.sessions == {session_id}
    assert await deps.refused(tokens["refresh_token"]) == INVALID
    _, event = await events(deps.database)
    assert isinstance(event, UserSignedOut)
    assert (event.user_id, event.session_id) == (user_id, str(session_id))
    assert await revealed(deps.database, event.client) == A_CLIENT.to_json()


async def test_a_user_ends_another_session_of_the_same_user(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    here, there = await deps.signed_in(), await deps.signed_in()
    session_id = deps.principal(there).session_id
    for _ in range(2):
        await deps.handle(received(RevokeSession(session_id=session_id), actor=user_id))
        assert deps.outcomes[-1] == Succeeded()
    assert await deps.refused(there["refresh_token"]) == INVALID
    assert await deps.refreshed(here["refresh_token"])
    reported = [e for e in await events(deps.database) if isinstance(e, UserSessionRevoked)]
    assert [(e.user_id, e.session_id) for e in reported] == [(user_id, str(session_id))]


async def test_someone_elses_session_is_as_unknown_as_none(deps: AccountsSlice) -> None:
    await deps.user()
    stranger = await deps.user("bob@example.com")
    tokens = await deps.signed_in()
    session_id = deps.principal(tokens).session_id
    for unknown in (session_id, uuid7()):
        await deps.handle(received(RevokeSession(session_id=unknown), actor=stranger))
        assert deps.outcomes[-1] == Rejected("unknown-session")
    await deps.handle(received(SignOut(session_id=session_id), actor=stranger))
    assert await ended(deps) == [False]
    assert not deps.outcome_notifier.changes
    assert len(await events(deps.database)) == 1


@pytest.mark.parametrize("kind", [SignOut, RevokeSession])
async def test_without_an_actor_no_ones_session_is_ended(
    deps: AccountsSlice, kind: type[SignOut | RevokeSession]
) -> None:
    with pytest.raises(PoisonError, match="without an actor"):
        await deps.handle(received(kind(session_id=uuid7())))


async def test_refreshing_and_signing_out_at_once_leave_the_session_ended(
    deps: AccountsSlice,
) -> None:
    user_id = await deps.user()
    tokens = await deps.signed_in()
    session_id = deps.principal(tokens).session_id
    await asyncio.gather(
        *(deps.handle(deps.refresh(tokens["refresh_token"])) for _ in range(8)),
        deps.handle(received(SignOut(session_id=session_id), actor=user_id)),
    )
    assert await ended(deps) == [True]
    assert await deps.refused(tokens["refresh_token"]) == INVALID
