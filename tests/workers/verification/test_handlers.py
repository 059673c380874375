"""Sign-ups and links, as the worker of verification handles them."""

import asyncpg
import pytest

from contracts.events import (
    UserSigninFailed,
    UserSignupRepeated,
    UserVerificationRequested,
)
from contracts.personal import Personal
from contracts.times import in_utc
from infra.messaging.inbound import PoisonError
from infra.security.address_hmac import address_hash
from tests.support.message_builders import a_personal_key, received
from tests.support.outbox import events
from tests.support.users import ADA, ADDRESS_KEY, a_user
from tests.support.workers.verification_outcomes import DONE, INVALID, PROOF_REQUIRED
from tests.support.workers.verification_slice import VerificationSlice, a_token
from workers.verification import store
from workers.verification.handlers import resend_verification


async def test_a_sign_up_queues_one_mail_and_keeps_the_hash_of_its_token(
    deps: VerificationSlice,
) -> None:
    user_id, token = await deps.signed_up()
    (mail,) = await deps.mails(user_id)
    assert (mail["template"], mail["status"], mail["on_request"]) == ("verify", "queued", False)
    assert ADA not in str(mail)
    (row,) = await deps.database.fetch(
        "SELECT *, expires_at - created_at = '24 hours' AS a_day FROM mailed_tokens"
    )
    assert row["a_day"]
    assert (row["purpose"], row["mail_id"]) == ("verify", mail["id"])
    assert token not in str(row)
    assert deps.woken


async def test_a_repeated_sign_up_writes_to_the_owner_without_a_token(
    deps: VerificationSlice,
) -> None:
    owner = await a_user(deps.database, verified=True)
    await deps.hear(await deps.repeated_by(owner))
    (mail,) = await deps.mails(owner)
    assert mail["template"] == "signup_repeated"
    assert not await deps.database.fetch("SELECT FROM mailed_tokens")


async def test_a_batch_of_events_is_settled_whole_and_most_of_it_without_mail(
    deps: VerificationSlice,
) -> None:
    ada, bob = [await a_user(deps.database, f"{name}@example.com") for name in ("ada", "bob")]
    batch = [
        await deps.sign_up_of(ada),
        received(UserSigninFailed(reason="unknown_address")),
        await deps.sign_up_of(bob, "bob@example.com"),
        received(UserVerificationRequested(user_id=ada)),
    ]
    await deps.hear(*batch)
    assert len(await deps.database.fetch("SELECT FROM mails")) == 2
    handled = await deps.database.fetch(
        "SELECT message_id FROM inbox WHERE consumer = 'verification-mails'"
    )
    assert {row["message_id"] for row in handled} == {r.envelope.id for r in batch}


async def test_events_that_call_for_no_mail_wake_no_one(deps: VerificationSlice) -> None:
    await deps.hear(received(UserSigninFailed(reason="unknown_address")))
    assert not deps.woken


async def test_no_one_writes_to_a_person_who_was_erased(deps: VerificationSlice) -> None:
    user_id = await a_user(deps.database)
    event = await deps.sign_up_of(user_id)
    await deps.database.execute("DELETE FROM personal_keys")
    await deps.hear(event)
    assert not await deps.mails(user_id)


async def test_an_event_that_comes_after_a_mail_was_asked_for_makes_no_second_link(
    deps: VerificationSlice,
) -> None:
    user_id = await a_user(deps.database)
    await deps.ask_again()
    await deps.hear(await deps.sign_up_of(user_id))
    assert len(await deps.mails(user_id)) == 1


async def test_an_address_under_someone_elses_key_is_set_aside_without_it(
    deps: VerificationSlice,
) -> None:
    owner = await a_user(deps.database, verified=True)
    strange = Personal.of_token(a_personal_key().encrypt(ADA))
    with pytest.raises(PoisonError) as error:
        await deps.hear(received(UserSignupRepeated(user_id=owner, email=strange)))
    assert ADA not in str(error.value)


async def test_link_of_a_sign_up_takes_proof_that_is_not_checked_here(
    deps: VerificationSlice,
) -> None:
    user_id, token = await deps.signed_up()
    for _ in range(2):
        assert await deps.redeem(token) == PROOF_REQUIRED
    assert (await deps.user(user_id))["email_confirmed_at"] is None
    assert not await events(deps.database)


async def test_link_of_a_sign_up_that_was_confirmed_says_so(deps: VerificationSlice) -> None:
    user_id, token = await deps.signed_up()
    await deps.database.execute("UPDATE users SET email_confirmed_at = now()")
    await deps.database.execute("UPDATE mailed_tokens SET used_at = now()")
    at = (await deps.user(user_id))["email_confirmed_at"]
    reported = {"email_confirmed_at": in_utc(at)}
    assert await deps.redeem(token) == {**DONE, "result": reported}


async def test_a_token_that_was_never_mailed_is_invalid(deps: VerificationSlice) -> None:
    assert await deps.redeem(a_token()) == INVALID


async def test_a_token_past_its_time_is_reported_so(deps: VerificationSlice) -> None:
    user_id, token = await deps.signed_up()
    await deps.database.execute("UPDATE mailed_tokens SET expires_at = now()")
    assert (await deps.redeem(token))["code"] == "expired-token"
    assert (await deps.user(user_id))["email_confirmed_at"] is None


async def test_a_token_for_another_purpose_verifies_nothing(deps: VerificationSlice) -> None:
    _, token = await deps.signed_up()
    await deps.database.execute("UPDATE mailed_tokens SET purpose = 'reset'")
    assert await deps.redeem(token) == INVALID


async def test_a_person_who_was_erased_cannot_be_verified(deps: VerificationSlice) -> None:
    user_id, token = await deps.signed_up()
    await deps.database.execute("UPDATE users SET erased_at = now(), email = NULL")
    await deps.database.execute("DELETE FROM personal_keys")
    assert await deps.redeem(token) == INVALID
    assert not await events(deps.database)
    assert (await deps.user(user_id))["email_confirmed_at"] is None


async def test_a_second_delivery_is_ignored(deps: VerificationSlice) -> None:
    _, token = await deps.signed_up()
    record = deps.record(deps.verify(token))
    await deps.work.take([record, record])
    await deps.work.take([record])
    rows = await deps.database.fetch("SELECT FROM inbox WHERE consumer = 'verification'")
    assert len(rows) == 1
    assert not deps.dead_letters.written


async def test_the_rows_of_an_address_are_locked_in_the_order_of_their_ids(
    deps: VerificationSlice,
) -> None:
    for _ in range(3):
        await a_user(deps.database)
    pool = await deps.database.pool("qnt9_verification")
    async with pool.acquire() as conn, conn.transaction():
        users = await store.lock_users(conn, address_hash(ADDRESS_KEY, ADA))
        ids = [person.user_id for person in users]
        assert ids == sorted(ids)
        async with (await deps.database.pool()).acquire() as other:
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("SELECT FROM users WHERE id = $1 FOR UPDATE NOWAIT", ids[0])


async def test_the_role_may_neither_read_events_nor_touch_passwords(
    deps: VerificationSlice,
) -> None:
    pool = await deps.database.pool("qnt9_verification")
    for statement in (
        "SELECT * FROM outbox",
        "UPDATE users SET password_hash = ''",
        "UPDATE users SET display_name = ''",
        "DELETE FROM users",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_event_handled_again_on_a_restored_database_queues_the_same_mail(
    deps: VerificationSlice,
) -> None:
    user_id = await a_user(deps.database)
    event = await deps.sign_up_of(user_id)

    async def made() -> tuple[object, ...]:
        await deps.hear(event)
        (mail,) = await deps.mails(user_id)
        return mail["id"], mail["message_id"], await deps.token_of(user_id)

    before = await made()
    await deps.database.execute("TRUNCATE mails, mailed_tokens, mail_allowances, inbox")
    assert await made() == before


async def test_request_handled_again_on_a_restored_database_mails_the_same_link(
    deps: VerificationSlice,
) -> None:
    user_id = await a_user(deps.database)
    command = deps.resend()

    async def made() -> tuple[object, ...]:
        await resend_verification(deps.parts, command)
        (mail,) = await deps.mails(user_id)
        return mail["message_id"], await deps.token_of(user_id)

    before = await made()
    await deps.database.execute("TRUNCATE mails, mailed_tokens, mail_allowances, inbox, outbox")
    assert await made() == before
