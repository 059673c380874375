"""A mailed link confirms a sign-up for whoever made it, and for nobody else."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

from contracts.events import UserEmailVerified, UserPasswordCheckFailed
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.times import in_utc
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import events, revealed, written_events
from tests.support.users import ADA
from tests.support.workers.password_slice import GuardedSlice

VICTIM, ATTACKER = "Quiet-Harbour-61-lamp", "Brass-Window-83-kite"
SECRETS = {VICTIM: "v" * 43, ATTACKER: "a" * 43}
INVALID = Rejected("invalid-token")


@dataclass(frozen=True)
class SignedUp:
    """A sign-up that waits for its confirmation, and the token that was mailed for it."""

    user_id: UUID
    password: str
    token: str


async def signs_up(guarded: GuardedSlice, password: str) -> SignedUp:
    user_id = await guarded.user(
        verified=False,
        password_hash=await guarded.hash(password),
        signup_secret=SECRETS[password],
    )
    return SignedUp(user_id, password, await guarded.mailed_token(user_id, "verify"))


async def asks_again(guarded: GuardedSlice, one: SignedUp) -> SignedUp:
    """The slice that mails voids the older link; then it makes another."""
    await guarded.database.execute(
        "UPDATE mailed_tokens SET voided_at = now() WHERE user_id = $1", one.user_id
    )
    return SignedUp(one.user_id, one.password, await guarded.mailed_token(one.user_id, "verify"))


async def password_of_owner(guarded: GuardedSlice) -> str | None:
    """Which of the two passwords signs in to the confirmed account; None while there is none."""
    rows = await guarded.database.fetch(
        "SELECT password_hash FROM users WHERE email_confirmed_at IS NOT NULL AND erased_at IS NULL"
    )
    assert len(rows) <= 1
    for row in rows:
        for password in (VICTIM, ATTACKER):
            async with guarded.parts.passwords.slot() as slot:
                if await slot.matches(password, row["password_hash"]):
                    return password
    return None


ORDERS = {
    "victim first": (VICTIM, ATTACKER),
    "attacker first": (ATTACKER, VICTIM),
    "victim first, the victim asks again": (VICTIM, ATTACKER, "again"),
    "attacker first, the attacker asks again": (ATTACKER, VICTIM, "again"),
    "two devices": (VICTIM, ATTACKER, VICTIM),
    "after expiry": (VICTIM, "expires", ATTACKER, VICTIM),
}


async def played(guarded: GuardedSlice, order: tuple[str, ...]) -> list[SignedUp]:
    made: list[SignedUp] = []
    for step in order:
        if step == "again":
            made.append(await asks_again(guarded, made[-1]))
        elif step == "expires":
            await guarded.database.execute("UPDATE mailed_tokens SET expires_at = now()")
        else:
            made.append(await signs_up(guarded, step))
    return made


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("by", ["password", "signup_secret"])
async def test_victim_pressing_every_link_never_gets_the_attackers_password(
    guarded: GuardedSlice, order: tuple[str, ...], by: str
) -> None:
    made = await played(guarded, order)
    proof = {"password": VICTIM} if by == "password" else {"signup_secret": SECRETS[VICTIM]}
    for one in reversed(made):
        outcome = await guarded.confirm_sign_up(one.token, **proof)
        assert isinstance(outcome, Succeeded) <= (one.password == VICTIM)
    assert await password_of_owner(guarded) == VICTIM


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_attacker_with_the_victims_links_confirms_nothing(
    guarded: GuardedSlice, order: tuple[str, ...]
) -> None:
    for one in await played(guarded, order):
        if one.password == VICTIM:
            for proof in ({"password": ATTACKER}, {"signup_secret": SECRETS[ATTACKER]}):
                assert isinstance(await guarded.confirm_sign_up(one.token, **proof), Rejected)
    assert await password_of_owner(guarded) is None


async def test_confirmed_sign_up_ends_the_others_and_emits_one_event(guarded: GuardedSlice) -> None:
    attacker, victim = await signs_up(guarded, ATTACKER), await signs_up(guarded, VICTIM)
    outcome = await guarded.confirm_sign_up(victim.token, password=VICTIM)
    row = await guarded.row(victim.user_id)
    assert outcome == Succeeded({"email_confirmed_at": in_utc(row["email_confirmed_at"])})
    assert (row["version"], row["signup_secret_hash"]) == (2, None)
    assert (await guarded.row(attacker.user_id))["superseded_at"]
    assert guarded.outcome_notifier.changes.users == {victim.user_id, attacker.user_id}
    (written,) = await written_events(guarded.database)
    assert isinstance(written.event, UserEmailVerified)
    assert written.about == str(victim.user_id)
    assert await revealed(guarded.database, written.event.email) == ADA
    assert await revealed(guarded.database, written.event.client) == A_CLIENT.to_json()
    assert ADA not in written.payload
    assert await guarded.confirm_sign_up(attacker.token, password=ATTACKER) == INVALID
    assert await guarded.confirm_sign_up(victim.token, password=VICTIM) == outcome
    assert len(await events(guarded.database)) == 1


async def test_wrong_password_is_refused_and_reported_in_the_log(guarded: GuardedSlice) -> None:
    one = await signs_up(guarded, ATTACKER)
    outcome = await guarded.confirm_sign_up(one.token, password=VICTIM)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "wrong-password"
    (event,) = await events(guarded.database)
    assert isinstance(event, UserPasswordCheckFailed)
    assert (event.user_id, event.purpose) == (one.user_id, "signup")
    assert isinstance(await guarded.confirm_sign_up(one.token, password=ATTACKER), Succeeded)


@pytest.mark.parametrize("secret", [SECRETS[ATTACKER], "", "x"])
async def test_secret_of_another_sign_up_says_what_is_missing(
    guarded: GuardedSlice, secret: str
) -> None:
    one = await signs_up(guarded, VICTIM)
    outcome = await guarded.confirm_sign_up(one.token, signup_secret=secret)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "proof-required"


async def test_sign_up_without_a_secret_takes_its_password_alone(guarded: GuardedSlice) -> None:
    user_id = await guarded.user(verified=False)
    token = await guarded.mailed_token(user_id, "verify")
    assert isinstance(await guarded.confirm_sign_up(token, signup_secret="x"), Rejected)
    assert isinstance(
        await guarded.confirm_sign_up(token, password="Quiet-harbour-61-lantern"), Succeeded
    )


@pytest.mark.parametrize("wrong", ["expired", "reset", "voided", "unknown", "erased"])
async def test_link_that_does_not_work_is_refused_whatever_the_proof(
    guarded: GuardedSlice, wrong: str
) -> None:
    one = await signs_up(guarded, VICTIM)
    changes = {
        "expired": "UPDATE mailed_tokens SET expires_at = now()",
        "reset": "UPDATE mailed_tokens SET purpose = 'reset'",
        "voided": "UPDATE mailed_tokens SET voided_at = now()",
        "unknown": "DELETE FROM mailed_tokens",
        "erased": "UPDATE users SET erased_at = now(), email = NULL",
    }
    await guarded.database.execute(changes[wrong])
    code = "expired-token" if wrong == "expired" else "invalid-token"
    for proof in ({"password": VICTIM}, {"password": ATTACKER}):
        assert await guarded.confirm_sign_up(one.token, **proof) == Rejected(code)
    assert await password_of_owner(guarded) is None


async def test_fifty_presses_at_once_confirm_once(guarded: GuardedSlice) -> None:
    one = await signs_up(guarded, VICTIM)
    commands = [guarded.confirm_sign_up(one.token, password=VICTIM) for _ in range(50)]
    await asyncio.gather(*commands)
    assert len(await events(guarded.database)) == 1
    assert {str(each.outcome) for each in guarded.outcome_notifier.announced} == {
        str(guarded.outcome_notifier.announced[0].outcome)
    }


async def test_two_sign_ups_confirmed_at_once_have_one_winner(guarded: GuardedSlice) -> None:
    for _ in range(5):
        await guarded.database.execute(
            "UPDATE users SET superseded_at = now(), email_confirmed_at = NULL"
        )
        made = [await signs_up(guarded, password) for password in (VICTIM, ATTACKER)]
        before = len(guarded.outcome_notifier.announced)
        await asyncio.gather(
            *(guarded.confirm_sign_up(one.token, password=one.password) for one in made)
        )
        outcomes: list[Outcome] = [
            each.outcome for each in guarded.outcome_notifier.announced[before:]
        ]
        assert sorted(isinstance(each, Succeeded) for each in outcomes) == [False, True]
