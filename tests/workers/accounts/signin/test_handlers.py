"""Signing in, up to the session and the answer."""

import asyncio
import base64
import hashlib
from datetime import timedelta

import pytest

from contracts.events import UserSignedIn, UserSigninFailed
from contracts.outcomes import Rejected, SealedOutcome, outcome_of
from infra.security.address_hmac import address_hash
from infra.security.password_hashing import Passwords
from infra.security.refresh_tokens import session_of
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import events, outcomes, revealed, written_events
from tests.support.users import ADA, ADDRESS_KEY, PASSWORD
from tests.support.workers.accounts_slice import AccountsSlice

REFUSED = Rejected("invalid-credentials")


async def test_the_right_password_begins_a_session(deps: AccountsSlice) -> None:
    user_id = await deps.user(verified=True)
    command = deps.command()
    await deps.handle(command)
    (session,) = await deps.sessions()
    assert (session["user_id"], session["ended_at"]) == (user_id, None)
    (written,) = await written_events(deps.database)
    assert isinstance(written.event, UserSignedIn)
    assert (written.event.user_id, written.about) == (user_id, str(user_id))
    assert written.event.session_id == str(session["id"])
    assert written.headers["ce_causationid"] == str(command.envelope.id)
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()


async def test_the_tokens_say_who_it_is(deps: AccountsSlice) -> None:
    user_id = await deps.user(verified=True)
    await deps.database.execute(
        "UPDATE users SET tier = 'plus', permissions = '{admin,support}', version = 7"
    )
    command = deps.command()
    await deps.handle(command)
    (session,) = await deps.sessions()
    tokens = deps.tokens(command)
    assert tokens.keys() == {"access_token", "expires_in", "refresh_token"}
    assert tokens["expires_in"] == 600
    principal = deps.principal(tokens)
    assert (principal.user_id, principal.session_id) == (user_id, session["id"])
    assert (principal.tier, principal.permissions) == ("plus", ("admin", "support"))
    assert (principal.verified, principal.version) == (True, 7)
    assert principal.expires_at == int(deps.clock.time.timestamp()) + 600


async def test_of_the_refresh_token_only_a_hash_is_kept(deps: AccountsSlice) -> None:
    await deps.user()
    command = deps.command()
    await deps.handle(command)
    token = deps.tokens(command)["refresh_token"]
    (session,) = await deps.sessions()
    assert session_of(token) == session["id"]
    assert len(base64.urlsafe_b64decode(token.partition(".")[2] + "=")) == 32
    assert session["token_hash"] == hashlib.sha256(token.encode()).digest()
    assert (session["lifetime"], session["spent_at"]) == (timedelta(days=30), None)


async def test_someone_unverified_may_sign_in_and_the_token_says_so(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    command = deps.command("Ada@EXAMPLE.com")
    await deps.handle(command)
    assert not deps.principal(deps.tokens(command)).verified


async def test_each_sign_in_is_a_session_of_its_own(deps: AccountsSlice) -> None:
    await deps.user()
    first, second = deps.command(), deps.command()
    await asyncio.gather(deps.handle(first), deps.handle(second))
    assert len(await deps.sessions()) == 2
    assert deps.tokens(first)["refresh_token"] != deps.tokens(second)["refresh_token"]


async def test_a_second_delivery_begins_no_session_and_gives_the_same_answer(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    command = deps.command()
    await deps.take(command, command)
    await deps.take(command)
    assert len(await deps.sessions()) == 1
    assert len(await events(deps.database)) == 1
    (kept,) = await outcomes(deps.database)
    assert kept
    assert deps.outcomes == [outcome_of(kept)] * 3
    assert deps.tokens(command)


async def test_a_wrong_password_is_refused_and_reported(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    await deps.handle(deps.command(password="Wooden-compass-37-ribbon"))
    assert deps.outcomes == [REFUSED]
    assert not await deps.sessions()
    (written,) = await written_events(deps.database)
    assert isinstance(written.event, UserSigninFailed)
    assert (written.event.user_id, written.event.reason) == (user_id, "wrong_password")
    assert written.about == str(user_id)
    assert written.event.client
    assert written.event.client.key_id == f"user:{user_id}"
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()


async def test_an_unknown_address_is_refused_and_reported_without_the_address(
    deps: AccountsSlice,
) -> None:
    await deps.handle(deps.command())
    assert deps.outcomes == [REFUSED]
    (written,) = await written_events(deps.database)
    assert isinstance(written.event, UserSigninFailed)
    assert (written.event.user_id, written.event.reason) == (None, "unknown_address")
    assert written.about == address_hash(ADDRESS_KEY, ADA)
    assert written.event.client
    assert (written.event.client.key_id or "").startswith("day:")
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()


async def test_an_unknown_address_and_a_wrong_password_have_the_same_outcome(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    await deps.handle(deps.command("bob@example.com"))
    await deps.handle(deps.command(password="Wooden-compass-37-ribbon"))
    unknown, wrong = await outcomes(deps.database)
    assert unknown == wrong


async def test_a_user_without_a_password_is_refused(deps: AccountsSlice) -> None:
    user_id = await deps.user(password_hash=None)
    await deps.handle(deps.command())
    assert deps.outcomes == [REFUSED]
    assert await events(deps.database) != []
    assert (await written_events(deps.database))[0].about == str(user_id)


async def test_many_unknown_addresses_at_once_share_the_days_key(deps: AccountsSlice) -> None:
    commands = [deps.command(f"user-{n}@example.com") for n in range(12)]
    await asyncio.gather(*map(deps.handle, commands))
    assert deps.outcomes == [REFUSED] * 12
    (keys,) = await deps.database.fetch("SELECT count(*) AS n FROM personal_keys")
    assert keys["n"] == 1


async def test_the_verified_user_of_an_address_is_meant_not_the_newest(
    deps: AccountsSlice,
) -> None:
    owner = await deps.user(verified=True)
    await deps.user(password_hash=await deps.hash("Another-horse-8"))
    await deps.handle(deps.command(password="Another-horse-8"))
    command = deps.command()
    await deps.handle(command)
    assert deps.outcomes[0] == REFUSED
    assert deps.principal(deps.tokens(command)).user_id == owner


async def test_of_the_unverified_the_newest_is_meant(deps: AccountsSlice) -> None:
    await deps.user(password_hash=await deps.hash("Another-horse-8"))
    newest = await deps.user()
    command = deps.command()
    await deps.handle(command)
    assert deps.principal(deps.tokens(command)).user_id == newest
    await deps.handle(deps.command(password="Another-horse-8"))
    assert deps.outcomes[-1] == REFUSED


@pytest.mark.parametrize("ended", ["superseded", "erased"])
async def test_no_one_signs_in_to_an_account_that_has_ended(
    deps: AccountsSlice, ended: str
) -> None:
    await deps.user(verified=True, superseded=ended == "superseded", erased=ended == "erased")
    await deps.handle(deps.command())
    (event,) = await events(deps.database)
    assert isinstance(event, UserSigninFailed)
    assert event.reason == "unknown_address"


async def test_a_hash_with_older_parameters_is_renewed_by_the_right_password(
    deps: AccountsSlice,
) -> None:
    user_id = await deps.user()
    deps.with_passwords(Passwords(memory_kib=16, iterations=1))
    await deps.handle(deps.command(password="Wooden-compass-37-ribbon"))
    assert "$m=8," in await deps.password_hash(user_id)
    await deps.handle(deps.command())
    assert "$m=16," in await deps.password_hash(user_id)
    await deps.handle(deps.command())
    assert len(await deps.sessions()) == 2


async def test_no_secret_and_no_address_leaves_in_clear(deps: AccountsSlice) -> None:
    await deps.user()
    command = deps.command()
    await deps.handle(command)
    await deps.handle(deps.command("bob@example.com"))
    tokens = deps.tokens(command)
    rows = await deps.database.fetch(
        "SELECT outcome::text AS text FROM inbox UNION ALL SELECT payload || headers FROM outbox"
    )
    assert len(rows) == 4
    for clear in (PASSWORD, "argon2", ADA, "bob@", tokens["refresh_token"], A_CLIENT.ip or "?"):
        assert not any(clear in row["text"] for row in rows)
    assert not any(tokens["access_token"] in row["text"] for row in rows)


async def test_the_answer_opens_for_the_process_that_asked_and_for_no_other_command(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    command, other = deps.command(), deps.command()
    await deps.handle(command)
    (outcome,) = deps.outcomes
    assert isinstance(outcome, SealedOutcome)
    assert not deps.opens(outcome, other)
    assert deps.opens(outcome, command)


async def test_sign_in_handled_again_on_a_restored_database_begins_the_same_session(
    deps: AccountsSlice,
) -> None:
    await deps.user(verified=True)
    command = deps.command()

    async def made() -> tuple[object, ...]:
        await deps.handle(command)
        (session,) = await deps.sessions()
        (event,) = await written_events(deps.database)
        return session["id"], session["token_hash"], event.headers["ce_id"]

    before = await made()
    await deps.database.execute("TRUNCATE sessions, refresh_tokens, inbox, outbox")
    assert await made() == before
