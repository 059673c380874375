"""Sessions that have begun: their tokens rotate, a copied one ends them, and so does their user."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from contracts.events import (
    UserSignedIn,
    UserTokenRefreshed,
    UserTokenReuseDetected,
)
from contracts.ids import uuid7
from infra.messaging.inbound import PoisonError
from infra.security.refresh_tokens import refresh_token, session_of
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import events, revealed, written_events
from tests.support.workers.accounts_slice import AccountsSlice
from tests.support.workers.sessions import A_MOMENT, INVALID, ended
from workers.accounts.sessions.rules import GRACE, MAX_LATE_RUN


def session_named(token: str) -> UUID:
    session_id = session_of(token)
    assert session_id
    return session_id


async def test_a_refresh_token_is_exchanged_for_a_new_pair(deps: AccountsSlice) -> None:
    user_id = await deps.user(verified=True)
    first = await deps.signed_in()
    second = await deps.refreshed(first["refresh_token"])
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    before, after = deps.principal(first), deps.principal(second)
    assert (after.user_id, after.session_id) == (user_id, before.session_id)
    third = await deps.refreshed(second["refresh_token"])
    assert third["refresh_token"] not in {first["refresh_token"], second["refresh_token"]}
    assert await ended(deps) == [False]


async def test_a_rotation_is_reported_once(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    first = await deps.signed_in()
    await deps.refreshed(first["refresh_token"])
    await deps.refreshed(first["refresh_token"])
    _, written = await written_events(deps.database)
    assert isinstance(written.event, UserTokenRefreshed)
    assert (written.event.user_id, written.about) == (user_id, str(user_id))
    assert written.event.session_id == str(deps.principal(first).session_id)
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()


async def test_claims_are_those_of_the_moment_of_the_refresh(deps: AccountsSlice) -> None:
    await deps.user()
    first = await deps.signed_in()
    await deps.database.execute(
        "UPDATE users SET tier = 'pro', version = 2, email_confirmed_at = now()"
    )
    principal = deps.principal(await deps.refreshed(first["refresh_token"]))
    assert (principal.tier, principal.version, principal.verified) == ("pro", 2, True)


async def test_fifty_at_once_receive_the_same_successor(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    commands = [deps.refresh(token) for _ in range(50)]
    await asyncio.gather(*(deps.handle(command) for command in commands))
    assert len({deps.tokens(c)["refresh_token"] for c in commands}) == 1
    assert len(await deps.sessions()) == 2  # one session, two tokens
    assert [type(e) for e in await events(deps.database)] == [UserSignedIn, UserTokenRefreshed]


async def test_fifty_in_one_batch_receive_the_same_successor(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    commands = [deps.refresh(token) for _ in range(50)]
    await deps.take(*commands)
    assert len({deps.tokens(c)["refresh_token"] for c in commands}) == 1


@pytest.mark.parametrize("late", [GRACE - A_MOMENT, GRACE + A_MOMENT, timedelta(days=29)])
async def test_parent_of_an_unused_successor_gets_it_again_however_late(
    deps: AccountsSlice, late: timedelta
) -> None:
    await deps.user()
    first = await deps.signed_in()
    second = await deps.refreshed(first["refresh_token"])
    for _ in range(2):
        await deps.later(late / 2)
    again = await deps.refreshed(first["refresh_token"])
    assert again["refresh_token"] == second["refresh_token"]
    assert await ended(deps) == [False]
    third = await deps.refreshed(again["refresh_token"])
    assert third["refresh_token"] not in {first["refresh_token"], again["refresh_token"]}


async def test_late_parent_of_a_used_successor_ends_the_session(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    first = await deps.signed_in()
    second = await deps.refreshed(first["refresh_token"])
    third = await deps.refreshed(second["refresh_token"])
    await deps.later(GRACE + A_MOMENT)
    assert await deps.refused(first["refresh_token"]) == "token-reused"
    assert await ended(deps) == [True]
    assert deps.outcome_notifier.changes.sessions == {deps.principal(first).session_id}
    written = (await written_events(deps.database))[-1]
    assert isinstance(written.event, UserTokenReuseDetected)
    assert (written.event.user_id, written.about) == (user_id, str(user_id))
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()
    for token in (third["refresh_token"], first["refresh_token"]):
        assert await deps.refused(token) == INVALID
    assert len(await written_events(deps.database)) == 4


async def test_copy_that_is_used_in_turns_with_the_owner_ends_the_session(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    for _ in range(MAX_LATE_RUN):
        following = (await deps.refreshed(token))["refresh_token"]
        await deps.later(timedelta(minutes=5))
        assert (await deps.refreshed(token))["refresh_token"] == following
        token = following
    await deps.refreshed(token)
    await deps.later(timedelta(minutes=5))
    assert await deps.refused(token) == "token-reused"
    assert await ended(deps) == [True]


async def test_lost_answers_that_are_not_in_a_row_end_no_session(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    for _ in range(MAX_LATE_RUN + 2):
        await deps.refreshed(token)
        await deps.later(timedelta(minutes=5))
        token = (await deps.refreshed(token))["refresh_token"]
        token = (await deps.refreshed(token))["refresh_token"]
    assert await ended(deps) == [False]


async def test_a_spent_token_whose_successor_was_used_ends_the_session_at_once(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    first = await deps.signed_in()
    second = await deps.refreshed(first["refresh_token"])
    third = await deps.refreshed(second["refresh_token"])
    assert await deps.refused(first["refresh_token"]) == "token-reused"
    assert await deps.refused(third["refresh_token"]) == INVALID


async def test_the_other_sessions_of_the_user_go_on(deps: AccountsSlice) -> None:
    await deps.user()
    stolen, other = await deps.signed_in(), await deps.signed_in()
    following = await deps.refreshed(stolen["refresh_token"])
    await deps.refreshed(following["refresh_token"])
    assert await deps.refused(stolen["refresh_token"]) == "token-reused"
    assert await deps.refreshed(other["refresh_token"])


async def test_a_second_delivery_gives_the_same_answer_and_spends_nothing(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    first = await deps.signed_in()
    command = deps.refresh(first["refresh_token"])
    await deps.take(command, command)
    second = deps.tokens(command)
    await deps.refreshed(second["refresh_token"])
    await deps.later(2 * GRACE)
    await deps.take(command)
    assert deps.tokens(command) == second
    assert await ended(deps) == [False]


async def test_what_is_no_token_of_the_session_is_refused_and_changes_nothing(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    other = (await deps.signed_in())["refresh_token"]
    swapped = ".".join((other.partition(".")[0], token.partition(".")[2]))
    guessed = refresh_token(session_named(token), bytes(32))
    for wrong in (guessed, swapped, refresh_token(uuid7(), bytes(32))):
        assert await deps.refused(wrong) == INVALID
    assert await ended(deps) == [False, False]
    assert len(await events(deps.database)) == 2


@pytest.mark.parametrize("token", ["", "no token", "A" * 43, f"{'A' * 22}.{'A' * 42}"])
async def test_what_no_gateway_sends_is_set_aside_without_its_content(
    deps: AccountsSlice, token: str
) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.handle(deps.refresh(token))
    assert str(error.value) == "the content of the seal is not valid"
