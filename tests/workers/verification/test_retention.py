"""What goes of mails and their tokens, with the rights of verification; and what old events do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.topics import MIN_REMEMBERED
from infra.postgres.retention import run
from infra.security.mailed_tokens import token_hash
from tests.support.users import ADA
from tests.support.workers.verification_slice import VerificationSlice
from workers.notifications.rules import MAILS_WANTED
from workers.verification.retention import rules

KEEP = timedelta(days=30)
A_DAY = timedelta(days=1)
LIFETIME = timedelta(hours=24)


async def clean(deps: VerificationSlice) -> list[int]:
    """How many tokens and how many mails went."""
    pool = await deps.database.pool("qnt9_verification")
    return [await run(pool, rule, at_once=2, pause=0) for rule in rules(KEEP)[:2]]


async def later(deps: VerificationSlice, passed: timedelta) -> None:
    """Everything about mails and tokens happened that much earlier."""
    await deps.database.execute("UPDATE mails SET created_at = created_at - $1::interval", passed)
    await deps.database.execute(
        """
        UPDATE mailed_tokens
           SET created_at = created_at - $1::interval, expires_at = expires_at - $1::interval
        """,
        passed,
    )


async def all_sent(deps: VerificationSlice) -> None:
    await deps.database.execute("UPDATE mails SET status = 'sent'")


def code(outcome: dict[str, Any]) -> str:
    return str(outcome.get("code", outcome["status"]))


async def test_mails_go_with_their_tokens_when_both_are_old(deps: VerificationSlice) -> None:
    users = [await deps.signed_up(f"ada-{n}@example.com") for n in range(3)]
    await all_sent(deps)
    await later(deps, LIFETIME + KEEP - timedelta(minutes=1))
    young, _ = await deps.signed_up("young@example.com")
    assert await clean(deps) == [0, 0]
    await later(deps, timedelta(minutes=2))
    assert await clean(deps) == [3, 3]
    assert [await deps.mails(user_id) for user_id, _ in users] == [[], [], []]
    assert await deps.mails(young)


async def test_a_mail_that_is_still_to_be_sent_stays(deps: VerificationSlice) -> None:
    user_id, _ = await deps.signed_up()
    await later(deps, 90 * A_DAY)
    assert await clean(deps) == [1, 0]
    assert await deps.status(user_id) == "queued"


async def test_a_link_is_answered_as_before_while_its_token_is_kept(
    deps: VerificationSlice,
) -> None:
    _, used = await deps.signed_up()
    _, expired = await deps.signed_up("other@example.com")
    await deps.database.execute(
        "UPDATE mailed_tokens SET used_at = now() WHERE token_hash = $1", token_hash(used)
    )
    await deps.database.execute("UPDATE users SET email_confirmed_at = now() WHERE email = $1", ADA)
    await all_sent(deps)
    await later(deps, LIFETIME + KEEP - A_DAY)
    await clean(deps)
    assert [code(await deps.redeem(token)) for token in (used, expired)] == [
        "succeeded",
        "expired-token",
    ]
    await later(deps, 2 * A_DAY)
    assert await clean(deps) == [2, 2]
    assert [code(await deps.redeem(token)) for token in (used, expired)] == ["invalid-token"] * 2


async def test_mail_request_goes_when_its_event_is_delivered_no_more(
    deps: VerificationSlice,
) -> None:
    (rule,) = [rule for rule in rules(KEEP) if rule.table == "mail_requests"]
    pool = await deps.database.pool("qnt9_verification")
    await deps.database.execute(
        """
        INSERT INTO mail_requests (event_id, type, payload, requested_at)
        SELECT gen_random_uuid(), 'qnt9.user.signed_up.v1', '{}', now() - age
          FROM unnest($1::interval[]) AS age
        """,
        [MIN_REMEMBERED - A_DAY, MIN_REMEMBERED + A_DAY],
    )
    assert await run(pool, rule, at_once=2, pause=0) == 1


async def test_an_event_calls_for_a_mail_only_while_its_row_would_report_it(
    deps: VerificationSlice,
) -> None:
    """As if the group began anew, when its inbox has forgotten: such topics are kept for good."""
    user_id, _ = await deps.signed_up()
    event = await deps.repeated_by(user_id)
    await deps.hours_pass()
    await deps.hear(event)
    assert len(await deps.mails(user_id)) == 2
    assert MAILS_WANTED < MIN_REMEMBERED
    for age, more in ((MAILS_WANTED + A_DAY, 0), (MAILS_WANTED - A_DAY, 1)):
        await deps.database.execute("DELETE FROM inbox")
        await deps.hours_pass()
        before = len(await deps.mails(user_id))
        time = datetime.now(UTC) - age
        await deps.hear(replace(event, envelope=replace(event.envelope, time=time)))
        assert len(await deps.mails(user_id)) == before + more
        assert await deps.database.fetch("SELECT FROM inbox"), "settled all the same"
