import asyncio

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
from tests.builders import a_personal_key, received
from tests.outbox import events
from tests.people import ADA, ADDRESS_KEY, a_user
from tests.workers.verification.conftest import VerificationSlice, a_token
from workers.verification import store
from workers.verification.handlers import resend_verification, verify_email

INVALID = {"status": "failed", "code": "invalid-token", "detail": None}
PROOF_REQUIRED = INVALID | {"code": "proof-required"}
DONE = {"status": "succeeded", "result": None, "created": False}


async def test_a_sign_up_queues_one_mail_and_keeps_the_hash_of_its_token(
    slice_: VerificationSlice,
) -> None:
    user_id, token = await slice_.signed_up()
    (mail,) = await slice_.mails(user_id)
    assert (mail["template"], mail["status"], mail["on_request"]) == ("verify", "queued", False)
    assert ADA not in str(mail)
    (row,) = await slice_.database.fetch(
        "SELECT *, expires_at - created_at = '24 hours' AS a_day FROM mailed_tokens"
    )
    assert row["a_day"]
    assert (row["purpose"], row["mail_id"]) == ("verify", mail["id"])
    assert token not in str(row)
    assert slice_.woken


async def test_a_repeated_sign_up_writes_to_the_owner_without_a_token(
    slice_: VerificationSlice,
) -> None:
    owner = await a_user(slice_.database, verified=True)
    await slice_.hear(await slice_.repeated_by(owner))
    (mail,) = await slice_.mails(owner)
    assert mail["template"] == "signup_repeated"
    assert not await slice_.database.fetch("SELECT FROM mailed_tokens")


async def test_a_batch_of_events_is_settled_whole_and_most_of_it_without_mail(
    slice_: VerificationSlice,
) -> None:
    ada, bob = [await a_user(slice_.database, f"{name}@example.com") for name in ("ada", "bob")]
    batch = [
        await slice_.sign_up_of(ada),
        received(UserSigninFailed(reason="unknown_address")),
        await slice_.sign_up_of(bob, "bob@example.com"),
        received(UserVerificationRequested(user_id=ada)),
    ]
    await slice_.hear(*batch)
    assert len(await slice_.database.fetch("SELECT FROM mails")) == 2
    handled = await slice_.database.fetch(
        "SELECT message_id FROM inbox WHERE consumer = 'verification-mails'"
    )
    assert {row["message_id"] for row in handled} == {r.envelope.id for r in batch}


async def test_events_that_call_for_no_mail_wake_nobody(slice_: VerificationSlice) -> None:
    await slice_.hear(received(UserSigninFailed(reason="unknown_address")))
    assert not slice_.woken


async def test_nobody_writes_to_a_person_who_was_erased(slice_: VerificationSlice) -> None:
    user_id = await a_user(slice_.database)
    event = await slice_.sign_up_of(user_id)
    await slice_.database.execute("DELETE FROM personal_keys")
    await slice_.hear(event)
    assert not await slice_.mails(user_id)


async def test_an_event_that_comes_after_a_mail_was_asked_for_makes_no_second_link(
    slice_: VerificationSlice,
) -> None:
    user_id = await a_user(slice_.database)
    await slice_.ask_again()
    await slice_.hear(await slice_.sign_up_of(user_id))
    assert len(await slice_.mails(user_id)) == 1


async def test_an_address_under_somebody_elses_key_is_set_aside_without_it(
    slice_: VerificationSlice,
) -> None:
    owner = await a_user(slice_.database, verified=True)
    strange = Personal.of_token(a_personal_key().encrypt(ADA))
    with pytest.raises(PoisonError) as error:
        await slice_.hear(received(UserSignupRepeated(user_id=owner, email=strange)))
    assert ADA not in str(error.value)


async def test_link_of_a_sign_up_takes_proof_that_is_not_checked_here(
    slice_: VerificationSlice,
) -> None:
    user_id, token = await slice_.signed_up()
    for _ in range(2):
        assert await slice_.redeem(token) == PROOF_REQUIRED
    assert (await slice_.user(user_id))["email_confirmed_at"] is None
    assert not await events(slice_.database)


async def test_link_of_a_sign_up_that_was_confirmed_says_so(slice_: VerificationSlice) -> None:
    user_id, token = await slice_.signed_up()
    await slice_.database.execute("UPDATE users SET email_confirmed_at = now()")
    await slice_.database.execute("UPDATE mailed_tokens SET used_at = now()")
    at = (await slice_.user(user_id))["email_confirmed_at"]
    told = {"email_confirmed_at": in_utc(at)}
    assert await slice_.redeem(token) == {**DONE, "result": told}


async def test_a_token_that_was_never_mailed_is_invalid(slice_: VerificationSlice) -> None:
    assert await slice_.redeem(a_token()) == INVALID


async def test_a_token_past_its_time_is_told_so(slice_: VerificationSlice) -> None:
    user_id, token = await slice_.signed_up()
    await slice_.database.execute("UPDATE mailed_tokens SET expires_at = now()")
    assert (await slice_.redeem(token))["code"] == "expired-token"
    assert (await slice_.user(user_id))["email_confirmed_at"] is None


async def test_a_token_for_another_purpose_verifies_nothing(slice_: VerificationSlice) -> None:
    _, token = await slice_.signed_up()
    await slice_.database.execute("UPDATE mailed_tokens SET purpose = 'reset'")
    assert await slice_.redeem(token) == INVALID


async def test_a_person_who_was_erased_cannot_be_verified(slice_: VerificationSlice) -> None:
    user_id, token = await slice_.signed_up()
    await slice_.database.execute("UPDATE users SET erased_at = now(), email = NULL")
    await slice_.database.execute("DELETE FROM personal_keys")
    assert await slice_.redeem(token) == INVALID
    assert not await events(slice_.database)
    assert (await slice_.user(user_id))["email_confirmed_at"] is None


async def test_a_second_delivery_is_ignored(slice_: VerificationSlice) -> None:
    _, token = await slice_.signed_up()
    record = slice_.record(slice_.verify(token))
    await slice_.work.take([record, record])
    await slice_.work.take([record])
    rows = await slice_.database.fetch("SELECT FROM inbox WHERE consumer = 'verification'")
    assert len(rows) == 1
    assert not slice_.dead_letters.written


async def test_asking_again_mails_a_new_link_and_the_old_one_stops_working(
    slice_: VerificationSlice,
) -> None:
    user_id, old = await slice_.signed_up()
    await slice_.hours_pass()
    assert await slice_.ask_again("ADA@example.com") == DONE
    new = await slice_.token_of(user_id)
    mails = await slice_.mails(user_id)
    assert [m["status"] for m in mails] == ["queued", "cancelled"]
    assert [m["on_request"] for m in mails] == [True, False]
    (event,) = await events(slice_.database)
    assert isinstance(event, UserVerificationRequested)
    assert event.user_id == user_id
    assert await slice_.redeem(old) == INVALID
    assert await slice_.redeem(new) == PROOF_REQUIRED


async def test_a_mail_that_was_sent_stays_sent_when_another_is_asked_for(
    slice_: VerificationSlice,
) -> None:
    user_id, _ = await slice_.signed_up()
    await slice_.database.execute("UPDATE mails SET status = 'sent'")
    await slice_.hours_pass()
    await slice_.ask_again()
    assert [m["status"] for m in await slice_.mails(user_id)] == ["queued", "sent"]


async def test_an_address_is_mailed_once_a_minute_however_often_it_is_asked_for(
    slice_: VerificationSlice,
) -> None:
    user_id, _ = await slice_.signed_up()
    await slice_.hours_pass()
    outcomes = await asyncio.gather(*(slice_.ask_again() for _ in range(10)))
    assert outcomes == [DONE] * 10
    assert len(await slice_.mails(user_id)) == 2
    assert len(await events(slice_.database)) == 1
    await slice_.hours_pass()
    assert await slice_.ask_again() == DONE
    assert len(await slice_.mails(user_id)) == 3


async def test_the_minute_is_the_address_not_the_sign_ups(slice_: VerificationSlice) -> None:
    await slice_.signed_up()
    await slice_.ask_again()
    newest, _ = await slice_.signed_up()
    await slice_.ask_again()
    assert [m["on_request"] for m in await slice_.mails(newest)] == [False]


async def test_the_outcome_does_not_tell_whether_anybody_waits(slice_: VerificationSlice) -> None:
    await a_user(slice_.database, "owner@example.com", verified=True)
    await a_user(slice_.database, "gone@example.com", erased=True)
    await a_user(slice_.database, "ended@example.com", superseded=True)
    for name in ("nobody", "owner", "gone", "ended"):
        assert await slice_.ask_again(f"{name}@example.com") == DONE
    assert not await slice_.database.fetch("SELECT FROM mails")
    assert not await events(slice_.database)
    assert not slice_.woken


async def test_the_newest_sign_up_gets_the_mail(slice_: VerificationSlice) -> None:
    older, _ = await slice_.signed_up()
    newer, _ = await slice_.signed_up()
    await slice_.hours_pass()
    await slice_.ask_again()
    assert len(await slice_.mails(older)) == 1
    assert len(await slice_.mails(newer)) == 2


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    slice_: VerificationSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await verify_email(slice_.parts, slice_.verify(a_token(), purpose="resend"))
    assert str(error.value) == "the seal cannot be opened"


async def test_what_is_no_address_is_set_aside_without_repeating_it(
    slice_: VerificationSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await slice_.ask_again("nobody")
    assert str(error.value) == "the content of the seal is not valid"


async def test_the_rows_of_an_address_are_locked_in_the_order_of_their_ids(
    slice_: VerificationSlice,
) -> None:
    for _ in range(3):
        await a_user(slice_.database)
    pool = await slice_.database.pool("qnt9_verification")
    async with pool.acquire() as conn, conn.transaction():
        people = await store.lock_people(conn, address_hash(ADDRESS_KEY, ADA))
        ids = [person.user_id for person in people]
        assert ids == sorted(ids)
        async with (await slice_.database.pool()).acquire() as other:
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.execute("SELECT FROM users WHERE id = $1 FOR UPDATE NOWAIT", ids[0])


async def test_the_role_may_neither_read_events_nor_touch_passwords(
    slice_: VerificationSlice,
) -> None:
    pool = await slice_.database.pool("qnt9_verification")
    for statement in (
        "SELECT * FROM outbox",
        "UPDATE users SET password_hash = ''",
        "UPDATE users SET display_name = ''",
        "DELETE FROM users",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_event_handled_again_on_a_restored_database_queues_the_same_mail(
    slice_: VerificationSlice,
) -> None:
    user_id = await a_user(slice_.database)
    event = await slice_.sign_up_of(user_id)

    async def made() -> tuple[object, ...]:
        await slice_.hear(event)
        (mail,) = await slice_.mails(user_id)
        return mail["id"], mail["message_id"], await slice_.token_of(user_id)

    before = await made()
    await slice_.database.execute("TRUNCATE mails, mailed_tokens, mail_allowances, inbox")
    assert await made() == before


async def test_request_handled_again_on_a_restored_database_mails_the_same_link(
    slice_: VerificationSlice,
) -> None:
    user_id = await a_user(slice_.database)
    command = slice_.resend()

    async def made() -> tuple[object, ...]:
        await resend_verification(slice_.parts, command)
        (mail,) = await slice_.mails(user_id)
        return mail["message_id"], await slice_.token_of(user_id)

    before = await made()
    await slice_.database.execute("TRUNCATE mails, mailed_tokens, mail_allowances, inbox, outbox")
    assert await made() == before
