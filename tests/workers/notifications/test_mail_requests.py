"""A mail follows what the owning slice wrote in the database, never a record of a topic alone."""

from dataclasses import replace

from structlog.testing import capture_logs

from contracts.events import (
    UserEmailChangeRequested,
    UserPasswordChanged,
    UserPasswordReset,
    WatchlistItemAdded,
)
from contracts.ids import uuid7
from infra.messaging.transaction import Transactions
from tests.support.message_builders import a_personal_key, received
from tests.support.postgres import Database
from tests.support.users import a_user
from tests.support.workers.verification_slice import VerificationSlice

EVIL = "evil@example.org"
NEW = "new@example.org"


async def test_event_that_no_slice_wrote_is_mailed_to_no_one(deps: VerificationSlice) -> None:
    """What somebody could publish who has the relay's credential and a user's personal key."""
    ada = await a_user(deps.database, verified=True)
    forged = UserEmailChangeRequested(user_id=ada, new_email=await deps.sealed(ada, EVIL))
    event = received(forged, key=str(ada))
    with capture_logs() as logs:
        await deps.hear_from_topic(event, received(UserPasswordReset(user_id=ada)))
    assert not await deps.mails(ada)
    assert not await deps.database.fetch("SELECT FROM mailed_tokens")
    assert [line["event"] for line in logs] == ["mail_without_request"] * 2
    assert not await deps.database.fetch("SELECT FROM inbox")
    await deps.hear(event)
    assert await deps.mails(ada), "once its slice has written it"


async def test_event_with_another_address_than_its_request_is_mailed_as_requested(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    wanted = UserEmailChangeRequested(user_id=ada, new_email=await deps.sealed(ada, NEW))
    forged = UserEmailChangeRequested(user_id=ada, new_email=await deps.sealed(ada, EVIL))
    event = received(wanted, key=str(ada))
    await deps.database.execute(
        "INSERT INTO mail_requests (event_id, type, payload) VALUES ($1, $2, $3)",
        event.envelope.id,
        wanted.type,
        wanted.model_dump_json(),
    )
    await deps.hear_from_topic(replace(event, data=forged))
    (mail,) = [each for each in await deps.mails(ada) if each["template"] == "email_change"]
    pool = await deps.database.pool()
    key = await pool.fetchval("SELECT secret FROM personal_keys WHERE id = $1", f"user:{ada}")
    assert replace(a_personal_key(ada), secret=key).decrypt(mail["parameters"])["to"] == NEW


async def test_request_is_used_once_and_for_its_own_kind_of_event(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    changed = UserPasswordChanged(user_id=ada)
    as_reset = received(UserPasswordReset(user_id=ada))
    await deps.database.execute(
        "INSERT INTO mail_requests (event_id, type, payload) VALUES ($1, $2, $3)",
        as_reset.envelope.id,
        changed.type,
        changed.model_dump_json(),
    )
    await deps.hear_from_topic(as_reset)
    assert not await deps.mails(ada)
    assert not await deps.database.fetch("SELECT FROM mail_requests")


async def test_every_event_of_a_user_is_requested_in_the_transaction_that_emits_it(
    database: Database,
) -> None:
    user, key = uuid7(), a_personal_key()
    accounts = Transactions(await database.pool("qnt9_accounts"), "accounts")
    async with accounts.begin() as tx:
        event_id = tx.emit(UserPasswordChanged(user_id=user), about=user, key=key)
    watchlist = Transactions(await database.pool("qnt9_watchlist"), "watchlist")
    async with watchlist.begin() as tx:
        tx.emit(WatchlistItemAdded(user_id=user, symbol="AAPL"), about=user, key=key)
    (row,) = await database.fetch("SELECT event_id, type, payload FROM mail_requests")
    (written,) = await database.fetch(
        "SELECT id AS event_id, type, payload FROM outbox WHERE id = $1", event_id
    )
    assert row == written
