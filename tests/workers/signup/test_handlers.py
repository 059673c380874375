import asyncio

import pytest

from contracts.events import UserSignedUp, UserSignupRepeated
from infra.messaging.inbound import PoisonError
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import events, outcomes, revealed, written_events
from tests.support.users import ADA, PASSWORD, a_user
from tests.support.workers.signup_slice import SignupSlice


async def test_a_new_address_gets_an_unverified_user_and_an_event(deps: SignupSlice) -> None:
    command = deps.command(display_name="Ada", fingerprint="f")
    await deps.handle(command)
    (user,) = await deps.users()
    assert (user["email"], user["display_name"]) == (ADA, "Ada")
    assert user["email_confirmed_at"] is None
    assert user["password_hash"].startswith("$argon2id$")
    ((event, about, _, headers),) = [
        (w.event, w.about, w.payload, w.headers) for w in await written_events(deps.database)
    ]
    assert isinstance(event, UserSignedUp)
    assert event.user_id == user["id"]
    assert about == str(user["id"])
    assert await revealed(deps.database, event.email) == ADA
    assert await revealed(deps.database, event.display_name) == "Ada"
    assert await revealed(deps.database, event.client) == A_CLIENT.to_json()
    assert headers["ce_causationid"] == str(command.envelope.id)
    (row,) = await deps.database.fetch("SELECT fingerprint, outcome FROM inbox")
    assert row["fingerprint"] == "f"
    assert row["outcome"] == {"status": "succeeded", "result": None, "created": False}


async def test_a_second_delivery_is_ignored(deps: SignupSlice) -> None:
    record = deps.record(deps.command())
    await deps.work.take([record, record])
    await deps.work.take([record])
    assert len(await deps.users()) == 1
    assert len(await events(deps.database)) == 1


async def test_each_sign_up_of_an_unverified_address_is_a_row_of_its_own(
    deps: SignupSlice,
) -> None:
    await deps.handle(deps.command())
    await deps.handle(deps.command("ADA@example.com", password="Another-horse-8"))
    first, second = await deps.users()
    assert first["id"] != second["id"]
    assert first["address_hash"] == second["address_hash"]
    assert first["superseded_at"] is None
    assert second["superseded_at"] is None


async def test_a_verified_address_is_reported_to_its_owner_and_changes_nothing(
    deps: SignupSlice,
) -> None:
    owner = await a_user(deps.database, verified=True)
    await deps.handle(deps.command(display_name="Eve"))
    assert [user["id"] for user in await deps.users()] == [owner]
    (event,) = await events(deps.database)
    assert isinstance(event, UserSignupRepeated)
    assert event.user_id == owner
    assert event.email.key_id == f"user:{owner}"
    assert await revealed(deps.database, event.email) == ADA


async def test_the_outcome_does_not_reveal_whether_the_address_is_taken(deps: SignupSlice) -> None:
    await a_user(deps.database, "bob@example.com", verified=True)
    await deps.handle(deps.command("ada@example.com"))
    await deps.handle(deps.command("bob@example.com"))
    free, taken = await outcomes(deps.database)
    assert free == taken


async def test_an_erased_user_no_longer_owns_the_address(deps: SignupSlice) -> None:
    await a_user(deps.database, verified=True, erased=True)
    await deps.handle(deps.command())
    assert isinstance((await events(deps.database))[0], UserSignedUp)


async def test_many_at_once_are_all_signed_up(deps: SignupSlice) -> None:
    commands = [deps.command(f"user-{n}@example.com") for n in range(20)]
    await asyncio.gather(*map(deps.handle, commands))
    assert len(await deps.users()) == 20


async def test_no_secret_and_no_address_leaves_in_clear(deps: SignupSlice) -> None:
    await deps.handle(deps.command(display_name="Ada Lovelace"))
    (written,) = await written_events(deps.database)
    for clear in (PASSWORD, "argon2", ADA, "Lovelace", A_CLIENT.ip or "?"):
        assert clear not in written.payload
        assert clear not in str(written.headers)


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    deps: SignupSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.handle(deps.command(purpose="signin"))
    assert str(error.value) == "the seal cannot be opened"


async def test_a_seal_moved_to_another_command_does_not_open(deps: SignupSlice) -> None:
    stolen, other = deps.command(), deps.command()
    record = deps.record(other)
    record.value = stolen.data.model_dump_json().encode()
    await deps.work.take([record])
    (dead_letter,) = deps.dead_letters.written
    assert dead_letter.failure.reason == "the seal cannot be opened"
    assert not await deps.users()


async def test_invalid_content_is_set_aside_without_repeating_it(deps: SignupSlice) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.handle(deps.command("no address"))
    assert str(error.value) == "the content of the seal is not valid"


async def test_sign_up_handled_again_on_a_restored_database_makes_the_same_user_and_key(
    deps: SignupSlice,
) -> None:
    command = deps.command(display_name="Ada")

    async def made() -> tuple[object, ...]:
        await deps.handle(command)
        (user,) = await deps.users()
        (key,) = await deps.database.fetch("SELECT id, secret FROM personal_keys")
        (event,) = await written_events(deps.database)
        return user["id"], key["id"], key["secret"], event.headers["ce_id"]

    before = await made()
    await deps.database.execute("TRUNCATE users, personal_keys, inbox, outbox CASCADE")
    assert await made() == before
