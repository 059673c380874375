import asyncio
from dataclasses import replace

import pytest

from contracts.commands import ChangePassword
from contracts.events import (
    UserEmailChangeRequested,
    UserPasswordChanged,
    UserPasswordCheckFailed,
    UserPasswordReset,
)
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from infra.messaging.inbound import PoisonError
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import events, revealed, written_events
from tests.support.users import ADA, PASSWORD
from tests.support.workers.accounts_slice import InterruptedPasswords
from tests.support.workers.password_slice import NEW_PASSWORD, GuardedSlice
from workers.accounts.dependencies import AccountsDeps

WRONG = Rejected("wrong-password")
INVALID = Rejected("invalid-token")


def interrupted(guarded: GuardedSlice, passwords: InterruptedPasswords) -> AccountsDeps:
    return replace(guarded.parts, passwords=passwords)


async def test_a_changed_password_ends_every_session_but_the_one_that_asked(
    guarded: GuardedSlice,
) -> None:
    ada, bob = await guarded.user(), await guarded.user("bob@example.com")
    mine, *others = [await guarded.session(ada) for _ in range(3)]
    bobs = await guarded.session(bob)
    assert await guarded.change_password(ada, session=mine) == Succeeded()
    assert await guarded.password_of(ada) == NEW_PASSWORD
    assert await guarded.open_sessions(ada) == {mine}
    assert await guarded.open_sessions(bob) == {bobs}
    assert guarded.outcome_notifier.changes.sessions == set(others)
    assert guarded.outcome_notifier.changes.users == {ada}
    assert (await guarded.row(ada))["version"] == 2
    (event,) = await events(guarded.database)
    assert isinstance(event, UserPasswordChanged)
    assert await revealed(guarded.database, event.client) == A_CLIENT.to_json()


async def test_a_wrong_password_changes_nothing(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    session = await guarded.session(ada)
    before = await guarded.row(ada)
    assert await guarded.change_password(ada, "Wrong-horse-7") == WRONG
    assert await guarded.change_email(ada, "new@example.com", "Wrong-horse-7") == WRONG
    assert await guarded.erase(ada, "Wrong-horse-7") == WRONG
    assert await guarded.row(ada) == before
    assert await guarded.open_sessions(ada) == {session}
    assert not guarded.outcome_notifier.changes


async def test_a_wrong_password_is_reported_with_what_it_was_for(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    await guarded.change_password(ada, "Wrong-horse-7")
    await guarded.change_email(ada, "new@example.com", "Wrong-horse-7")
    await guarded.erase(ada, "Wrong-horse-7")
    reported = await written_events(guarded.database)
    purposes = []
    for each in reported:
        assert isinstance(each.event, UserPasswordCheckFailed)
        assert (each.event.user_id, each.about) == (ada, str(ada))
        assert each.event.client
        assert each.event.client.key_id == f"user:{ada}"
        assert await revealed(guarded.database, each.event.client) == A_CLIENT.to_json()
        assert "new@example.com" not in each.payload
        purposes.append(each.event.purpose)
    assert purposes == ["password_change", "email_change", "erasure"]


async def test_a_password_with_the_address_in_it_is_too_weak(guarded: GuardedSlice) -> None:
    ada = await guarded.user("copper-meadow-27-violin@example.com")
    outcome = await guarded.change_password(ada)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "weak-password"
    token = await guarded.mailed_token(ada)
    outcome = await guarded.reset_password(token)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "weak-password"
    assert await guarded.password_of(ada) == PASSWORD
    assert await guarded.reset_password(token, "Another-horse-7") == Succeeded()


async def test_of_two_changes_at_once_one_knows_the_password(guarded: GuardedSlice) -> None:
    ada = await guarded.user()

    async def meanwhile() -> None:
        assert await guarded.change_password(ada) == Succeeded()

    other = GuardedSlice(**vars(guarded))
    other.parts = interrupted(guarded, InterruptedPasswords(ends=meanwhile))
    assert await other.change_password(ada) == WRONG
    changed, failed = await events(guarded.database)
    assert isinstance(changed, UserPasswordChanged)
    assert isinstance(failed, UserPasswordCheckFailed)


async def test_an_account_that_never_stands_still_is_left_alone(guarded: GuardedSlice) -> None:
    ada = await guarded.user()

    class Restless(InterruptedPasswords):
        """Each look finds a hash that is another one at the lock."""

        slots = 0

    async def renew() -> None:
        async with guarded.parts.passwords.slot() as slot:
            await guarded.database.execute(
                "UPDATE users SET password_hash = $2 WHERE id = $1", ada, await slot.hash(PASSWORD)
            )
        restless.slots = 0

    restless = Restless(ends=renew)
    other = GuardedSlice(**vars(guarded))
    other.parts = interrupted(guarded, restless)
    assert await other.erase(ada) == Rejected("try-again")
    assert (await guarded.row(ada))["erased_at"] is None


@pytest.mark.parametrize("erased", [True, False])
async def test_who_is_no_more_is_unknown(guarded: GuardedSlice, *, erased: bool) -> None:
    ada = await guarded.user(verified=False, erased=erased, superseded=not erased)
    unknown = Rejected("unknown-user")
    assert await guarded.change_password(ada) == unknown
    assert await guarded.change_email(ada, "new@example.com") == unknown
    assert await guarded.erase(ada) == unknown
    assert await guarded.update_profile(ada, display_name="Ada") == unknown
    assert await guarded.reset_password(await guarded.mailed_token(ada)) == INVALID


async def test_a_seal_for_another_purpose_or_without_an_actor_is_set_aside(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    content = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    for command in (
        guarded.command(
            ChangePassword, content, actor=ada, purpose="password-reset", session_id=uuid7()
        ),
        guarded.command(ChangePassword, content, session_id=uuid7()),
    ):
        with pytest.raises(PoisonError):
            await guarded.handle(command)


async def test_a_mailed_token_sets_a_password_once_and_ends_every_session(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    sessions = {await guarded.session(ada) for _ in range(2)}
    token = await guarded.mailed_token(ada)
    assert await guarded.reset_password(token) == Succeeded()
    assert await guarded.password_of(ada) == NEW_PASSWORD
    assert not await guarded.open_sessions(ada)
    assert guarded.outcome_notifier.changes.sessions == sessions
    assert guarded.outcome_notifier.changes.users == {ada}
    assert await guarded.reset_password(token, PASSWORD) == INVALID
    assert await guarded.password_of(ada) == NEW_PASSWORD
    (event,) = await events(guarded.database)
    assert event == UserPasswordReset(user_id=ada, client=event.client)


async def test_of_many_resets_with_one_token_one_wins(guarded: GuardedSlice) -> None:
    token = await guarded.mailed_token(await guarded.user())
    commands = [guarded.reset_password(token) for _ in range(8)]
    await asyncio.gather(*commands, return_exceptions=True)
    found = [announced.outcome for announced in guarded.outcome_notifier.announced]
    assert len(found) == 8
    assert found.count(Succeeded()) == 1
    assert found.count(INVALID) == 7


async def test_a_new_password_voids_the_links_that_were_mailed_before(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    older, newer = [await guarded.mailed_token(ada) for _ in range(2)]
    await guarded.mailed_token(ada, "email_change")
    assert await guarded.change_password(ada) == Succeeded()
    assert await guarded.reset_password(older) == INVALID
    assert await guarded.reset_password(newer) == INVALID
    rows = await guarded.database.fetch("SELECT voided_at FROM mailed_tokens")
    assert all(row["voided_at"] for row in rows)


async def test_a_token_past_its_time_or_for_something_else_sets_no_password(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    expired = await guarded.mailed_token(ada, expired=True)
    assert await guarded.reset_password(expired) == Rejected("expired-token")
    for purpose in ("verify", "email_change"):
        assert await guarded.reset_password(await guarded.mailed_token(ada, purpose)) == INVALID
    assert await guarded.reset_password("never-mailed-to-anybody") == INVALID
    assert await guarded.password_of(ada) == PASSWORD


async def test_another_address_is_only_asked_for(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    before = await guarded.row(ada)
    assert await guarded.change_email(ada, "New@Example.com") == Succeeded()
    assert await guarded.row(ada) == before
    (event,) = await events(guarded.database)
    assert isinstance(event, UserEmailChangeRequested)
    assert await revealed(guarded.database, event.new_email) == "New@example.com"
    (written,) = await written_events(guarded.database)
    assert "New@example.com" not in written.payload


async def test_the_address_that_one_has_needs_no_asking(guarded: GuardedSlice) -> None:
    assert await guarded.change_email(await guarded.user(), ADA.upper()) == Succeeded()
    assert not await events(guarded.database)
