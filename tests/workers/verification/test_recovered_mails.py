"""Mails that are made again on a recovered database use up nothing of what is mailed today."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.events import UserPasswordChanged
from contracts.ids import derived_uuid7, uuid7
from tests.support.message_builders import a_personal_key, received
from tests.support.users import ADA, ADDRESS_KEY, a_user
from tests.support.workers.verification_slice import VerificationSlice, messages
from workers.notifications.allowances import admitted
from workers.notifications.mail_templates import Draft
from workers.notifications.rules import PASSWORD_CHANGED, RESET, VERIFY

RESTORED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)


def a_mail(template: str, called_for_at: datetime) -> Draft:
    """A mail as an event of that time calls for it."""
    id_ = derived_uuid7(called_for_at, uuid7())
    made = messages().draft(template, id_, UUID(int=7), a_personal_key(), to=ADA, name=None)
    return replace(made, cause_id=uuid7())


async def sent(deps: VerificationSlice, *drafts: Draft, again: bool) -> list[Draft]:
    causes = {each.cause_id for each in drafts if each.cause_id} if again else set()
    async with deps.parts.transactions.begin() as tx:
        return await admitted(tx.conn, ADDRESS_KEY, drafts, causes)


@pytest.mark.parametrize("template", [VERIFY, RESET, PASSWORD_CHANGED])
async def test_mails_made_again_leave_todays_share_alone(
    deps: VerificationSlice, template: str
) -> None:
    made_again = [a_mail(template, RESTORED_AT + timedelta(minutes=2 * n)) for n in range(5)]
    assert len(await sent(deps, *made_again, again=True)) == 5
    [today] = await sent(deps, a_mail(template, datetime.now(UTC)), again=False)
    assert today.due_at
    assert today.due_at <= datetime.now(UTC) + timedelta(seconds=5)


async def test_mails_made_again_are_those_that_were_sent_the_first_time(
    deps: VerificationSlice,
) -> None:
    """The limits hold at the times of then: a flood before the backup is no flood again."""
    flood = [a_mail(RESET, RESTORED_AT + timedelta(seconds=n)) for n in range(30)]
    later = a_mail(RESET, RESTORED_AT + timedelta(minutes=1))
    assert await sent(deps, *flood, later, again=True) == [
        replace(each, due_at=at)
        for each, at in ((flood[0], RESTORED_AT), (later, RESTORED_AT + timedelta(minutes=1)))
    ]


async def test_owner_is_informed_again_without_waiting_behind_what_was_recovered(
    deps: VerificationSlice,
) -> None:
    """Of events that were lost and of one that is new: the new one's mail is due at once."""
    user_id = await a_user(deps.database, verified=True)
    lost = [received(UserPasswordChanged(user_id=user_id), key=str(user_id)) for _ in range(5)]
    new = received(UserPasswordChanged(user_id=user_id), key=str(user_id))
    for each in lost:
        await deps.database.execute(
            "INSERT INTO recovered_events (id, type, consumer, awaited) VALUES ($1, '', '', false)",
            each.envelope.id,
        )
    await deps.hear(*lost, new)
    shares = await deps.database.fetch(
        "SELECT share, cardinality(sent_at) AS mails FROM mail_allowances ORDER BY share"
    )
    assert [(row["share"], row["mails"]) for row in shares] == [
        ("owner", 1),
        ("owner-recovered", 5),
    ]
