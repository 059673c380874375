"""The former address can undo a change of address for seven days."""

import asyncio
from uuid import UUID

import pytest

from contracts.events import UserEmailChangeUndone
from contracts.outcomes import Outcome, Rejected, Succeeded
from infra.postgres.personal_data_keys import user_keys
from infra.security.address_hmac import address_hash
from tests.support.outbox import events, revealed
from tests.support.users import ADA, ADDRESS_KEY, PASSWORD, a_user
from tests.support.workers.password_slice import NEW_PASSWORD, GuardedSlice

THIEF, SECOND = "thief@example.com", "second@example.com"
INVALID = Rejected("invalid-token")


async def moves(guarded: GuardedSlice, user_id: UUID, to: str) -> str:
    """As the slice that mails leaves it. Returns the token that the address before was mailed."""
    former = (await guarded.row(user_id))["email"]
    await guarded.database.execute(
        "UPDATE users SET email = $2, address_hash = $3 WHERE id = $1",
        user_id,
        to,
        address_hash(ADDRESS_KEY, to),
    )
    token = await guarded.mailed_token(user_id, "email_changed")
    pool = await guarded.database.pool()
    async with pool.acquire() as conn:
        key = (await user_keys(conn, [user_id]))[user_id]
        await conn.execute(
            """
            UPDATE mailed_tokens SET address = $1
             WHERE user_id = $2 AND purpose = 'email_changed' AND address IS NULL
            """,
            key.encrypt(former),
            user_id,
        )
    return token


async def owner(guarded: GuardedSlice, user_id: UUID) -> tuple[str, str | None]:
    return (await guarded.row(user_id))["email"], await guarded.password_of(user_id)


async def test_former_address_takes_the_account_back_with_a_new_password(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    token = await moves(guarded, ada, THIEF)
    session = await guarded.session(ada)
    assert await guarded.undo_email_change(token) == Succeeded()
    assert await owner(guarded, ada) == (ADA, NEW_PASSWORD)
    row = await guarded.row(ada)
    assert row["address_hash"] == address_hash(ADDRESS_KEY, ADA)
    assert await guarded.open_sessions(ada) == set()
    assert guarded.outcome_notifier.changes.sessions == {session}
    assert guarded.outcome_notifier.changes.users == {ada}
    (event,) = await events(guarded.database)
    assert isinstance(event, UserEmailChangeUndone)
    assert await revealed(guarded.database, event.email) == ADA
    assert await revealed(guarded.database, event.former_email) == THIEF
    assert await guarded.undo_email_change(token) == INVALID


async def test_thief_who_moves_on_keeps_nothing(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    owners = await moves(guarded, ada, THIEF)
    thiefs = await moves(guarded, ada, SECOND)
    reset = await guarded.mailed_token(ada, "reset")
    assert await guarded.undo_email_change(thiefs) == Succeeded()
    assert await owner(guarded, ada) == (THIEF, NEW_PASSWORD)
    assert await guarded.undo_email_change(owners) == Succeeded()
    assert await owner(guarded, ada) == (ADA, NEW_PASSWORD)
    assert await guarded.reset_password(reset) == INVALID


async def test_link_of_a_later_address_is_void_after_an_earlier_one(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    owners = await moves(guarded, ada, THIEF)
    thiefs = await moves(guarded, ada, SECOND)
    assert await guarded.undo_email_change(owners) == Succeeded()
    assert await guarded.undo_email_change(thiefs) == INVALID
    assert await owner(guarded, ada) == (ADA, NEW_PASSWORD)


@pytest.mark.parametrize("wrong", ["expired", "other", "erased", "unknown"])
async def test_link_that_does_not_work_changes_nothing(guarded: GuardedSlice, wrong: str) -> None:
    ada = await guarded.user()
    token = await moves(guarded, ada, THIEF)
    changes = {
        "expired": "UPDATE mailed_tokens SET expires_at = now()",
        "other": "UPDATE mailed_tokens SET purpose = 'email_change'",
        "erased": "UPDATE users SET erased_at = now()",
        "unknown": "DELETE FROM mailed_tokens",
    }
    await guarded.database.execute(changes[wrong])
    code = "expired-token" if wrong == "expired" else "invalid-token"
    assert await guarded.undo_email_change(token) == Rejected(code)
    assert (await owner(guarded, ada))[1] == PASSWORD


async def test_address_that_is_someone_elses_by_now_is_not_given_back(
    guarded: GuardedSlice,
) -> None:
    ada = await guarded.user()
    token = await moves(guarded, ada, THIEF)
    await a_user(guarded.database, verified=True)
    assert await guarded.undo_email_change(token) == Rejected("address-taken")
    assert (await owner(guarded, ada))[0] == THIEF


async def test_password_that_has_the_former_address_is_refused(guarded: GuardedSlice) -> None:
    ada = await guarded.user("lovelace@example.com")
    token = await moves(guarded, ada, THIEF)
    outcome = await guarded.undo_email_change(token, "Lovelace-61-lantern")
    assert isinstance(outcome, Rejected)
    assert outcome.code == "weak-password"


async def test_twenty_at_once_undo_once(guarded: GuardedSlice) -> None:
    ada = await guarded.user()
    token = await moves(guarded, ada, THIEF)
    outcomes: list[Outcome] = await asyncio.gather(
        *(guarded.undo_email_change(token) for _ in range(20))
    )
    assert sum(isinstance(outcome, Succeeded) for outcome in outcomes) == 1
    assert len(await events(guarded.database)) == 1
