"""One address is mailed at most once a minute and five times an hour, whatever asked for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.events import UserPasswordChanged
from contracts.ids import uuid7
from tests.support.message_builders import a_personal_key, received
from tests.support.users import ADA, ADDRESS_KEY, a_user
from tests.support.workers.link_requests import asks, forget
from tests.support.workers.verification_slice import VerificationSlice, messages
from workers.notifications.allowances import admitted
from workers.notifications.mail_templates import Draft
from workers.notifications.rules import (
    ADDRESS_WANTED,
    EMAIL_CHANGE,
    PASSWORD_CHANGED,
    RESET,
    SIGNUP_REPEATED,
    VERIFY,
)

ASKED_BY_ANYBODY = (VERIFY, RESET, SIGNUP_REPEATED, ADDRESS_WANTED, EMAIL_CHANGE)


def a_draft(template: str, to: str = ADA) -> Draft:
    return messages().draft(template, uuid7(), UUID(int=7), a_personal_key(), to=to, name=None)


async def sent(deps: VerificationSlice, *drafts: Draft) -> list[Draft]:
    async with deps.parts.transactions.begin() as tx:
        return await admitted(tx.conn, ADDRESS_KEY, drafts)


async def passes(deps: VerificationSlice, time: str) -> None:
    await deps.database.execute(
        """
        UPDATE mail_allowances
           SET last_at = last_at - $1::text::interval,
               sent_at = (SELECT array_agg(at - $1::text::interval ORDER BY at)
                            FROM unnest(sent_at) AS at)
        """,
        time,
    )


@pytest.mark.parametrize("first", ASKED_BY_ANYBODY)
@pytest.mark.parametrize("second", ASKED_BY_ANYBODY)
async def test_second_mail_within_a_minute_is_left_out_whatever_asks(
    deps: VerificationSlice, first: str, second: str
) -> None:
    assert len(await sent(deps, a_draft(first))) == 1
    assert await sent(deps, a_draft(second, "ADA@example.com")) == []
    assert len(await sent(deps, a_draft(second, "bob@example.com"))) == 1
    await passes(deps, "59 seconds")
    assert await sent(deps, a_draft(second)) == []
    await passes(deps, "1 second")
    assert len(await sent(deps, a_draft(second))) == 1


async def test_sixth_mail_within_an_hour_is_left_out(deps: VerificationSlice) -> None:
    for _ in range(5):
        assert await sent(deps, a_draft(VERIFY))
        await passes(deps, "2 minutes")
    assert await sent(deps, a_draft(RESET)) == []
    await passes(deps, "49 minutes")
    assert await sent(deps, a_draft(RESET)) == []
    await passes(deps, "1 minute")
    assert await sent(deps, a_draft(RESET))
    assert await sent(deps, a_draft(RESET)) == []


async def test_of_two_hundred_at_once_one_is_sent(deps: VerificationSlice) -> None:
    allowed = await asyncio.gather(
        *(sent(deps, a_draft(VERIFY), a_draft(RESET)) for _ in range(100))
    )
    assert sum(map(len, allowed)) == 1


async def test_batches_that_share_addresses_wait_for_each_other(deps: VerificationSlice) -> None:
    addresses = [f"user-{n}@example.com" for n in range(8)]
    allowed = await asyncio.gather(
        *(
            sent(deps, *(a_draft(VERIFY, to) for to in (addresses[n:] + addresses[:n])))
            for n in range(8)
        )
    )
    assert sorted(draft.to for drafts in allowed for draft in drafts) == addresses


async def test_strangers_cannot_use_up_the_share_of_the_owner(deps: VerificationSlice) -> None:
    for _ in range(5):
        await sent(deps, a_draft(RESET))
        await passes(deps, "61 seconds")
    assert await sent(deps, a_draft(RESET)) == []
    (reported,) = await sent(deps, a_draft(PASSWORD_CHANGED))
    assert reported.due_at
    assert reported.due_at < datetime.now(UTC) + timedelta(seconds=1)


async def test_mails_to_an_owner_wait_for_their_turn(deps: VerificationSlice) -> None:
    due = [draft.due_at for _ in range(7) for draft in await sent(deps, a_draft(PASSWORD_CHANGED))]
    assert len(due) == 7
    times = [at for at in due if at]
    minutes = [round((at - times[0]).total_seconds() / 60) for at in times]
    assert minutes == [0, 1, 2, 3, 4, 60, 61]


async def test_asking_too_often_is_answered_alike_and_the_last_link_still_works(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    outcomes = [await forget(deps) for _ in range(6)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert len(await deps.mails(ada)) == 1
    (token,) = await deps.database.fetch("SELECT voided_at FROM mailed_tokens")
    assert token["voided_at"] is None


async def test_five_changes_of_address_send_one_mail_to_a_stranger(
    deps: VerificationSlice,
) -> None:
    stranger = "stranger@example.com"
    for _ in range(5):
        user_id = await a_user(deps.database, f"{uuid7().hex}@example.com", verified=True)
        await deps.hear(await asks(deps, user_id, stranger))
    rows = await deps.database.fetch("SELECT FROM mails WHERE template = 'email_change'")
    assert len(rows) == 1


async def test_owner_is_told_of_a_password_after_a_flood_of_requests(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    for _ in range(10):
        await forget(deps)
    await deps.hear(received(UserPasswordChanged(user_id=ada)))
    assert sorted(mail["template"] for mail in await deps.mails(ada)) == [
        "password_changed",
        "reset",
    ]
