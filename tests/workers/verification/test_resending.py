"""Links that are asked for again, and their limits."""

import asyncio

import pytest

from contracts.events import (
    UserVerificationRequested,
)
from infra.messaging.inbound import PoisonError
from tests.support.outbox import events
from tests.support.users import a_user
from tests.support.workers.verification_outcomes import DONE, INVALID, PROOF_REQUIRED
from tests.support.workers.verification_slice import VerificationSlice, a_token
from workers.verification.handlers import verify_email


async def test_asking_again_mails_a_new_link_and_the_old_one_stops_working(
    deps: VerificationSlice,
) -> None:
    user_id, old = await deps.signed_up()
    await deps.hours_pass()
    assert await deps.ask_again("ADA@example.com") == DONE
    new = await deps.token_of(user_id)
    mails = await deps.mails(user_id)
    assert [m["status"] for m in mails] == ["queued", "cancelled"]
    assert [m["on_request"] for m in mails] == [True, False]
    (event,) = await events(deps.database)
    assert isinstance(event, UserVerificationRequested)
    assert event.user_id == user_id
    assert await deps.redeem(old) == INVALID
    assert await deps.redeem(new) == PROOF_REQUIRED


async def test_a_mail_that_was_sent_stays_sent_when_another_is_asked_for(
    deps: VerificationSlice,
) -> None:
    user_id, _ = await deps.signed_up()
    await deps.database.execute("UPDATE mails SET status = 'sent'")
    await deps.hours_pass()
    await deps.ask_again()
    assert [m["status"] for m in await deps.mails(user_id)] == ["queued", "sent"]


async def test_an_address_is_mailed_once_a_minute_however_often_it_is_asked_for(
    deps: VerificationSlice,
) -> None:
    user_id, _ = await deps.signed_up()
    await deps.hours_pass()
    outcomes = await asyncio.gather(*(deps.ask_again() for _ in range(10)))
    assert outcomes == [DONE] * 10
    assert len(await deps.mails(user_id)) == 2
    assert len(await events(deps.database)) == 1
    await deps.hours_pass()
    assert await deps.ask_again() == DONE
    assert len(await deps.mails(user_id)) == 3


async def test_the_minute_is_the_address_not_the_sign_ups(deps: VerificationSlice) -> None:
    await deps.signed_up()
    await deps.ask_again()
    newest, _ = await deps.signed_up()
    await deps.ask_again()
    assert [m["on_request"] for m in await deps.mails(newest)] == [False]


async def test_the_outcome_does_not_reveal_whether_anyone_waits(deps: VerificationSlice) -> None:
    await a_user(deps.database, "owner@example.com", verified=True)
    await a_user(deps.database, "gone@example.com", erased=True)
    await a_user(deps.database, "ended@example.com", superseded=True)
    for name in ("nobody", "owner", "gone", "ended"):
        assert await deps.ask_again(f"{name}@example.com") == DONE
    assert not await deps.database.fetch("SELECT FROM mails")
    assert not await events(deps.database)
    assert not deps.woken


async def test_the_newest_sign_up_gets_the_mail(deps: VerificationSlice) -> None:
    older, _ = await deps.signed_up()
    newer, _ = await deps.signed_up()
    await deps.hours_pass()
    await deps.ask_again()
    assert len(await deps.mails(older)) == 1
    assert len(await deps.mails(newer)) == 2


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    deps: VerificationSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await verify_email(deps.parts, deps.verify(a_token(), purpose="resend"))
    assert str(error.value) == "the seal cannot be opened"


async def test_what_is_no_address_is_set_aside_without_repeating_it(
    deps: VerificationSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.ask_again("nobody")
    assert str(error.value) == "the content of the seal is not valid"
