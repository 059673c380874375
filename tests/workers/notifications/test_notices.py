"""Notices to the owner of an account: sign-ins, reused tokens, other addresses, erasure."""

from uuid import UUID

from contracts.events import UserEmailChanged, UserErased, UserSignedIn, UserTokenReuseDetected
from contracts.ids import uuid7
from contracts.personal import PersonalKey
from infra.postgres.personal_data_keys import KEY_BYTES
from tests.support.mail_server import MailServer
from tests.support.message_builders import received
from tests.support.users import ADA, a_user
from tests.support.waiting import until
from tests.support.workers.link_requests import asked, link_to, mailed
from tests.support.workers.verification_slice import StartSender, VerificationSlice

SESSION = str(UUID(int=7))


async def erased(deps: VerificationSlice) -> UUID:
    """A user who is gone, with the address that the erasing slice left for the last mail."""
    user_id = await a_user(deps.database, verified=True)
    key = PersonalKey(f"farewell:{user_id}", bytes(KEY_BYTES))
    await deps.database.execute(
        "INSERT INTO farewells (user_id, secret, email) VALUES ($1, $2, $3)",
        user_id,
        key.secret,
        key.encrypt(ADA),
    )
    await deps.database.execute(
        "UPDATE users SET erased_at = now(), email = NULL, address_hash = 'erased:' || id"
    )
    await deps.database.execute("DELETE FROM personal_keys")
    return user_id


async def test_sign_in_from_a_new_client_is_reported_and_others_are_not(
    deps: VerificationSlice,
) -> None:
    ada = await a_user(deps.database, verified=True)
    known = UserSignedIn(user_id=ada, session_id=SESSION)
    await deps.hear(received(known))
    assert not await mailed(deps, ada)
    await deps.hear(received(known.model_copy(update={"new_client": True})))
    assert await mailed(deps, ada) == {"signed_in": 1}


async def test_sign_ins_leave_room_for_other_mails(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, verified=True)
    for _ in range(5):
        await deps.hear(received(UserSignedIn(user_id=ada, session_id=SESSION, new_client=True)))
    assert await mailed(deps, ada) == {"signed_in": 2}


async def test_unverified_sign_up_is_mailed_about_no_sign_in(deps: VerificationSlice) -> None:
    eve = await a_user(deps.database)
    await deps.hear(received(UserSignedIn(user_id=eve, session_id=SESSION, new_client=True)))
    assert not await mailed(deps, eve)


async def test_reused_token_is_reported(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, verified=True)
    await deps.hear(received(UserTokenReuseDetected(user_id=ada, session_id=SESSION)))
    assert await mailed(deps, ada) == {"token_reused": 1}


async def test_former_address_gets_a_link_for_seven_days(deps: VerificationSlice) -> None:
    ada = await a_user(deps.database, "new@example.com", verified=True)
    event = UserEmailChanged(
        user_id=ada,
        email=await deps.sealed(ada, "new@example.com"),
        former_email=await deps.sealed(ada, ADA),
    )
    await deps.hear(received(event))
    (token,) = await deps.database.fetch(
        """
        SELECT purpose, address, expires_at - created_at = interval '7 days' AS a_week
          FROM mailed_tokens
        """
    )
    assert (token["purpose"], token["a_week"]) == ("email_changed", True)
    assert ADA not in token["address"]
    await deps.redeem(await link_to(deps, ada, "email_changed"))
    assert (await deps.user(ada))["email"] == "new@example.com"


async def test_another_address_ends_every_session_but_the_one_that_asked(
    deps: VerificationSlice,
) -> None:
    ada, token = await asked(deps)
    mine, other = uuid7(), uuid7()
    for session_id in (mine, other):
        await deps.database.execute(
            "INSERT INTO sessions (id, user_id) VALUES ($1, $2)", session_id, ada
        )
    await deps.database.execute("UPDATE mailed_tokens SET session_id = $1", mine)
    assert (await deps.redeem(token))["status"] == "succeeded"
    rows = await deps.database.fetch("SELECT id FROM sessions WHERE ended_at IS NULL")
    assert [row["id"] for row in rows] == [mine]
    assert deps.outcome_notifier.changes.sessions == {other}


async def test_erased_user_is_informed_once_and_the_address_goes_with_the_mail(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    ada = await erased(deps)
    await deps.hear(received(UserErased(user_id=ada)))
    assert await mailed(deps, ada) == {"erased": 1}
    await start_sender()
    await until(lambda: bool(server.taken))
    (taken,) = server.taken
    assert taken.recipient == ADA
    assert "was erased" in taken.part("plain")

    async def forgotten() -> bool:
        return not await deps.database.fetch("SELECT FROM farewells")

    await until(forgotten)


async def test_user_without_a_farewell_is_not_mailed(deps: VerificationSlice) -> None:
    eve = await a_user(deps.database, erased=True)
    await deps.database.execute("DELETE FROM personal_keys")
    await deps.hear(received(UserErased(user_id=eve)))
    assert not await mailed(deps, eve)
