"""What goes of mails and their tokens, with the rights of verification; and what old events do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.topics import REMEMBERED_LEAST
from infra.postgres.retention import run
from tests.people import ADA
from tests.workers.verification.conftest import VerificationSlice
from workers.verification.retention import rules
from workers.verification.rules import MAILS_WANTED, token_hash

KEEP = timedelta(days=30)
A_DAY = timedelta(days=1)
LIFETIME = timedelta(hours=24)


async def clean(slice_: VerificationSlice) -> list[int]:
    """How many tokens and how many mails went."""
    pool = await slice_.database.pool("qnt9_verification")
    return [await run(pool, rule, at_once=2, pause=0) for rule in rules(KEEP)[:2]]


async def later(slice_: VerificationSlice, passed: timedelta) -> None:
    """Everything about mails and tokens happened that much earlier."""
    await slice_.database.execute("UPDATE mails SET created_at = created_at - $1::interval", passed)
    await slice_.database.execute(
        """
        UPDATE mailed_tokens
           SET created_at = created_at - $1::interval, expires_at = expires_at - $1::interval
        """,
        passed,
    )


async def all_sent(slice_: VerificationSlice) -> None:
    await slice_.database.execute("UPDATE mails SET status = 'sent'")


def code(outcome: dict[str, Any]) -> str:
    return str(outcome.get("code", outcome["status"]))


async def test_mails_go_with_their_tokens_when_both_are_old(slice_: VerificationSlice) -> None:
    people = [await slice_.signed_up(f"ada-{n}@example.com") for n in range(3)]
    await all_sent(slice_)
    await later(slice_, LIFETIME + KEEP - timedelta(minutes=1))
    young, _ = await slice_.signed_up("young@example.com")
    assert await clean(slice_) == [0, 0]
    await later(slice_, timedelta(minutes=2))
    assert await clean(slice_) == [3, 3]
    assert [await slice_.mails(user_id) for user_id, _ in people] == [[], [], []]
    assert await slice_.mails(young)


async def test_a_mail_that_is_still_to_be_sent_stays(slice_: VerificationSlice) -> None:
    user_id, _ = await slice_.signed_up()
    await later(slice_, 90 * A_DAY)
    assert await clean(slice_) == [1, 0]
    assert await slice_.status(user_id) == "queued"


async def test_a_link_is_answered_as_before_while_its_token_is_kept(
    slice_: VerificationSlice,
) -> None:
    _, used = await slice_.signed_up()
    _, expired = await slice_.signed_up("other@example.com")
    await slice_.database.execute(
        "UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash(used)
    )
    await slice_.database.execute(
        "UPDATE users SET email_confirmed_at = now() WHERE email = $1", ADA
    )
    await all_sent(slice_)
    await later(slice_, LIFETIME + KEEP - A_DAY)
    await clean(slice_)
    assert [code(await slice_.redeem(token)) for token in (used, expired)] == [
        "succeeded",
        "expired-token",
    ]
    await later(slice_, 2 * A_DAY)
    assert await clean(slice_) == [2, 2]
    assert [code(await slice_.redeem(token)) for token in (used, expired)] == ["invalid-token"] * 2


async def test_mail_request_goes_when_its_event_is_delivered_no_more(
    slice_: VerificationSlice,
) -> None:
    (rule,) = [rule for rule in rules(KEEP) if rule.table == "mail_requests"]
    pool = await slice_.database.pool("qnt9_verification")
    await slice_.database.execute(
        """
        INSERT INTO mail_requests (event_id, type, payload, requested_at)
        SELECT gen_random_uuid(), 'qnt9.user.signed_up.v1', '{}', now() - age
          FROM unnest($1::interval[]) AS age
        """,
        [REMEMBERED_LEAST - A_DAY, REMEMBERED_LEAST + A_DAY],
    )
    assert await run(pool, rule, at_once=2, pause=0) == 1


async def test_an_event_calls_for_a_mail_only_while_its_row_would_tell_of_it(
    slice_: VerificationSlice,
) -> None:
    """As if the group began anew, when its inbox has forgotten: such topics are kept for good."""
    user_id, _ = await slice_.signed_up()
    event = await slice_.repeated_by(user_id)
    await slice_.hours_pass()
    await slice_.hear(event)
    assert len(await slice_.mails(user_id)) == 2
    assert MAILS_WANTED < REMEMBERED_LEAST
    for age, more in ((MAILS_WANTED + A_DAY, 0), (MAILS_WANTED - A_DAY, 1)):
        await slice_.database.execute("DELETE FROM inbox")
        await slice_.hours_pass()
        before = len(await slice_.mails(user_id))
        time = datetime.now(UTC) - age
        await slice_.hear(replace(event, envelope=replace(event.envelope, time=time)))
        assert len(await slice_.mails(user_id)) == before + more
        assert await slice_.database.fetch("SELECT FROM inbox"), "settled all the same"
