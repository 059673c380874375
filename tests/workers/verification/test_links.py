"""Links for what comes after the first: new passwords, other addresses; and the mails that tell."""

import asyncio
from uuid import UUID

import pytest

from contracts.events import (
    UserEmailChanged,
    UserPasswordChanged,
    UserPasswordReset,
    UserPasswordResetRequested,
)
from contracts.personal import Personal
from contracts.times import in_utc
from infra.security.address_hmac import address_hash
from tests.support.message_builders import received
from tests.support.outbox import events, revealed
from tests.support.postgres import Database
from tests.support.users import ADA, ADDRESS_KEY, a_user
from tests.support.workers.link_requests import NEW, asked, asks, forget, link_to, mailed
from tests.support.workers.verification_slice import VerificationSlice

INVALID = {"status": "failed", "code": "invalid-token", "detail": None}


DONE = {"status": "succeeded", "result": None, "created": False}


async def asked_long_ago(database: Database) -> None:
    await database.execute("DELETE FROM mail_allowances")


async def test_who_forgot_the_password_gets_a_link_for_half_an_hour(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    assert await forget(deps) == DONE
    (mail,) = await deps.mails(ada)
    assert (mail["template"], mail["status"], mail["on_request"]) == ("reset", "queued", True)
    (token,) = await deps.database.fetch(
        "SELECT purpose, expires_at - created_at = '30 minutes' AS half_an_hour FROM mailed_tokens"
    )
    assert token == {"purpose": "reset", "half_an_hour": True}
    (event,) = await events(deps.database)
    assert isinstance(event, UserPasswordResetRequested)
    assert deps.woken


@pytest.mark.parametrize("who", ["nobody", "unverified", "superseded", "erased"])
async def test_an_address_that_no_one_confirmed_gets_the_same_outcome_and_no_mail(
    deps: VerificationSlice, who: str
) -> None:
    if who != "nobody":
        await a_user(deps.database, superseded=who == "superseded", erased=who == "erased")
    assert await forget(deps) == DONE
    assert not await deps.database.fetch("SELECT FROM mails")
    assert not await events(deps.database)
    assert not deps.woken


async def test_a_second_request_within_a_minute_mails_nothing(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, verified=True)
    assert [await forget(deps) for _ in range(3)] == [DONE] * 3
    assert len(await deps.mails(ada)) == 1


async def test_of_requests_at_once_one_is_mailed(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, verified=True)
    await asyncio.gather(*(forget(deps) for _ in range(6)))
    assert len(await deps.mails(ada)) == 1


async def test_a_newer_link_makes_the_older_one_void_and_keeps_its_mail_here(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    await forget(deps)
    await asked_long_ago(deps.database)
    await forget(deps)
    assert [mail["status"] for mail in await deps.mails(ada)] == ["queued", "cancelled"]
    live = await deps.database.fetch("SELECT FROM mailed_tokens WHERE voided_at IS NULL")
    assert len(live) == 1


async def test_a_link_for_a_new_password_confirms_nothing(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, verified=True)
    await forget(deps)
    assert await deps.redeem(await link_to(deps, ada, "reset")) == INVALID


@pytest.mark.parametrize("kind", [UserPasswordChanged, UserPasswordReset])
async def test_anyone_who_has_the_address_is_informed_of_a_new_password(
    deps: VerificationSlice, kind: type[UserPasswordChanged] | type[UserPasswordReset]
) -> None:
    ada = await a_user(deps.database, verified=True)
    eve = await a_user(deps.database, "eve@example.com")
    await deps.hear(received(kind(user_id=ada)), received(kind(user_id=eve)))
    assert await mailed(deps, ada) == {"password_changed": 1}
    assert not await mailed(deps, eve), "nobody has confirmed that it is eve's"


async def test_the_new_address_gets_a_link_and_the_old_one_is_informed(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    await deps.hear(await asks(deps, ada))
    assert await mailed(deps, ada) == {"email_change": 1, "email_change_asked": 1}
    for mail in await deps.mails(ada):
        to = await revealed(deps.database, Personal.of_token(mail["parameters"]))
        assert to["to"] == (NEW if mail["template"] == "email_change" else ADA)


async def test_the_owner_of_a_taken_address_is_informed_and_who_asked_sees_no_difference(
    deps: VerificationSlice,
) -> None:
    ada, owner = [await a_user(deps.database, each, verified=True) for each in (ADA, NEW)]
    await deps.hear(await asks(deps, ada))
    assert await mailed(deps, ada) == {"email_change_asked": 1}
    assert await mailed(deps, owner) == {"address_wanted": 1}
    assert not await deps.database.fetch("SELECT FROM mailed_tokens")


@pytest.mark.parametrize("at_once", [True, False])
async def test_owner_of_a_taken_address_is_informed_when_another_is_asked_for_after_it(
    deps: VerificationSlice, at_once: bool
) -> None:
    """However many events are handled together."""
    ada, owner = [await a_user(deps.database, each, verified=True) for each in (ADA, NEW)]
    asked_for = [await asks(deps, ada), await asks(deps, ada, "second@example.com")]
    for batch in [asked_for] if at_once else [[each] for each in asked_for]:
        await deps.hear(*batch)
    assert await mailed(deps, owner) == {"address_wanted": 1}
    assert (await mailed(deps, ada))["email_change"] == 1


async def test_only_the_last_address_that_was_asked_for_can_be_confirmed(
    deps: VerificationSlice,
) -> None:
    ada, first = await asked(deps)
    await deps.hear(
        await asks(deps, ada, "second@example.com"), await asks(deps, ada, "third@example.com")
    )
    assert await deps.redeem(first) == INVALID
    assert (await mailed(deps, ada))["email_change"] == 2
    outcome = await deps.redeem(await link_to(deps, ada, "email_change"))
    assert outcome["status"] == "succeeded"
    assert (await deps.user(ada))["email"] == "third@example.com"


async def test_a_new_password_ends_the_link_to_another_address(deps: VerificationSlice) -> None:
    ada, token = await asked(deps)
    await deps.hear(received(UserPasswordReset(user_id=ada)))
    assert await deps.redeem(token) == INVALID
    await deps.hear(await asks(deps, ada), received(UserPasswordChanged(user_id=ada)))
    live = await deps.database.fetch("SELECT FROM mailed_tokens WHERE voided_at IS NULL")
    assert not live


async def test_the_link_moves_the_account_to_the_address_it_was_mailed_to(
    deps: VerificationSlice,
) -> None:
    ada, token = await asked(deps)
    outcome = await deps.redeem(token)
    row = await deps.user(ada)
    assert outcome["result"] == {"email_confirmed_at": in_utc(row["email_confirmed_at"])}
    assert row["email"] == NEW
    assert row["address_hash"] == address_hash(ADDRESS_KEY, NEW)
    assert row["version"] == 2
    (event,) = await events(deps.database)
    assert isinstance(event, UserEmailChanged)
    assert await revealed(deps.database, event.email) == NEW
    assert await revealed(deps.database, event.former_email) == ADA
    assert await deps.redeem(token) == outcome
    assert len(await events(deps.database)) == 1


async def test_the_old_address_is_informed_of_the_change(deps: VerificationSlice) -> None:
    ada, token = await asked(deps)
    await deps.redeem(token)
    (event,) = await events(deps.database)
    await deps.hear(received(event, client=None, key=str(ada)))
    (mail, *_) = await deps.mails(ada)
    assert mail["template"] == "email_changed"
    parameters = await revealed(deps.database, Personal.of_token(mail["parameters"]))
    assert parameters["to"] == ADA


async def test_links_to_the_old_address_die_with_the_change(deps: VerificationSlice) -> None:
    await forget_first(deps)
    ada, token = await asked_again(deps)
    await deps.redeem(token)
    live = await deps.database.fetch(
        "SELECT purpose FROM mailed_tokens WHERE voided_at IS NULL AND used_at IS NULL"
    )
    assert not live
    assert (await deps.user(ada))["email"] == NEW


async def forget_first(deps: VerificationSlice) -> None:
    await a_user(deps.database, verified=True)
    await forget(deps)


async def asked_again(deps: VerificationSlice) -> tuple[UUID, str]:
    (row,) = await deps.database.fetch("SELECT id FROM users")
    await deps.hear(await asks(deps, row["id"]))
    return row["id"], await link_to(deps, row["id"], "email_change")


async def test_who_never_confirmed_an_address_can_confirm_another(
    deps: VerificationSlice,
) -> None:
    ada, first = await deps.signed_up()
    await deps.hear(await asks(deps, ada))
    assert await mailed(deps, ada) == {"verify": 1, "email_change": 1}
    outcome = await deps.redeem(await link_to(deps, ada, "email_change"))
    assert outcome["status"] == "succeeded"
    assert await deps.redeem(first) == INVALID
    (event,) = await events(deps.database)
    assert isinstance(event, UserEmailChanged)
    assert event.former_email is None


async def test_of_two_who_move_to_one_address_at_once_one_arrives(
    deps: VerificationSlice,
) -> None:
    tokens = []
    for name in ("ada", "bob"):
        user_id = await a_user(deps.database, f"{name}@example.com", verified=True)
        await deps.hours_pass()
        await deps.hear(await asks(deps, user_id))
        tokens.append(await link_to(deps, user_id, "email_change"))
    outcomes = await asyncio.gather(*map(deps.redeem, tokens))
    assert sorted(outcome["status"] for outcome in outcomes) == ["failed", "succeeded"]


async def test_who_waits_at_the_address_waits_no_longer(deps: VerificationSlice) -> None:
    eve, eves = await deps.signed_up(NEW)
    _, token = await asked(deps)
    assert (await deps.redeem(token))["status"] == "succeeded"
    assert (await deps.user(eve))["superseded_at"]
    assert await deps.redeem(eves) == INVALID


async def test_sign_ups_that_were_ended_go_along_so_that_erasing_finds_them(
    deps: VerificationSlice,
) -> None:
    eve = await a_user(deps.database, superseded=True)
    ada, token = await asked(deps)
    await deps.redeem(token)
    hashes = {(await deps.user(each))["address_hash"] for each in (eve, ada)}
    assert hashes == {address_hash(ADDRESS_KEY, NEW)}


async def test_the_link_of_someone_erased_does_nothing(deps: VerificationSlice) -> None:
    _, token = await asked(deps)
    await deps.database.execute("DELETE FROM personal_keys")
    assert await deps.redeem(token) == INVALID
