import asyncio

import pytest

from contracts.events import UserSignedUp, UserSignupRepeated
from infra.messaging.inbound import PoisonError
from tests.builders import A_CLIENT
from tests.outbox import events, outcomes, revealed, written_events
from tests.people import ADA, PASSWORD, a_user
from tests.workers.signup.conftest import SignupSlice


async def test_a_new_address_gets_an_unverified_user_and_an_event(slice_: SignupSlice) -> None:
    command = slice_.command(display_name="Ada", fingerprint="f")
    await slice_.handle(command)
    (user,) = await slice_.users()
    assert (user["email"], user["display_name"]) == (ADA, "Ada")
    assert user["email_confirmed_at"] is None
    assert user["password_hash"].startswith("$argon2id$")
    ((event, about, _, headers),) = [
        (w.event, w.about, w.payload, w.headers) for w in await written_events(slice_.database)
    ]
    assert isinstance(event, UserSignedUp)
    assert event.user_id == user["id"]
    assert about == str(user["id"])
    assert await revealed(slice_.database, event.email) == ADA
    assert await revealed(slice_.database, event.display_name) == "Ada"
    assert await revealed(slice_.database, event.client) == A_CLIENT.to_json()
    assert headers["ce_causationid"] == str(command.envelope.id)
    (row,) = await slice_.database.fetch("SELECT fingerprint, outcome FROM inbox")
    assert row["fingerprint"] == "f"
    assert row["outcome"] == {"status": "succeeded", "result": None, "created": False}


async def test_a_second_delivery_is_ignored(slice_: SignupSlice) -> None:
    record = slice_.record(slice_.command())
    await slice_.work.take([record, record])
    await slice_.work.take([record])
    assert len(await slice_.users()) == 1
    assert len(await events(slice_.database)) == 1


async def test_each_sign_up_of_an_unverified_address_is_a_row_of_its_own(
    slice_: SignupSlice,
) -> None:
    await slice_.handle(slice_.command())
    await slice_.handle(slice_.command("ADA@example.com", password="Another-horse-8"))
    first, second = await slice_.users()
    assert first["id"] != second["id"]
    assert first["address_hash"] == second["address_hash"]
    assert first["superseded_at"] is None
    assert second["superseded_at"] is None


async def test_a_verified_address_is_told_to_its_owner_and_changes_nothing(
    slice_: SignupSlice,
) -> None:
    owner = await a_user(slice_.database, verified=True)
    await slice_.handle(slice_.command(display_name="Eve"))
    assert [user["id"] for user in await slice_.users()] == [owner]
    (event,) = await events(slice_.database)
    assert isinstance(event, UserSignupRepeated)
    assert event.user_id == owner
    assert event.email.key_id == f"user:{owner}"
    assert await revealed(slice_.database, event.email) == ADA


async def test_the_outcome_does_not_tell_whether_the_address_is_taken(slice_: SignupSlice) -> None:
    await a_user(slice_.database, "bob@example.com", verified=True)
    await slice_.handle(slice_.command("ada@example.com"))
    await slice_.handle(slice_.command("bob@example.com"))
    free, taken = await outcomes(slice_.database)
    assert free == taken


async def test_an_erased_user_no_longer_owns_the_address(slice_: SignupSlice) -> None:
    await a_user(slice_.database, verified=True, erased=True)
    await slice_.handle(slice_.command())
    assert isinstance((await events(slice_.database))[0], UserSignedUp)


async def test_many_at_once_are_all_signed_up(slice_: SignupSlice) -> None:
    commands = [slice_.command(f"user-{n}@example.com") for n in range(20)]
    await asyncio.gather(*map(slice_.handle, commands))
    assert len(await slice_.users()) == 20


async def test_no_secret_and_no_address_leaves_in_clear(slice_: SignupSlice) -> None:
    await slice_.handle(slice_.command(display_name="Ada Lovelace"))
    (written,) = await written_events(slice_.database)
    for clear in (PASSWORD, "argon2", ADA, "Lovelace", A_CLIENT.ip or "?"):
        assert clear not in written.payload
        assert clear not in str(written.headers)


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    slice_: SignupSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await slice_.handle(slice_.command(purpose="signin"))
    assert str(error.value) == "the seal cannot be opened"


async def test_a_seal_moved_to_another_command_does_not_open(slice_: SignupSlice) -> None:
    stolen, other = slice_.command(), slice_.command()
    record = slice_.record(other)
    record.value = stolen.data.model_dump_json().encode()
    await slice_.work.take([record])
    (letter,) = slice_.dead_letters.written
    assert letter.failure.reason == "the seal cannot be opened"
    assert not await slice_.users()


async def test_invalid_content_is_set_aside_without_repeating_it(slice_: SignupSlice) -> None:
    with pytest.raises(PoisonError) as error:
        await slice_.handle(slice_.command("no address"))
    assert str(error.value) == "the content of the seal is not valid"


async def test_sign_up_handled_again_on_a_restored_database_makes_the_same_user_and_key(
    slice_: SignupSlice,
) -> None:
    command = slice_.command(display_name="Ada")

    async def made() -> tuple[object, ...]:
        await slice_.handle(command)
        (user,) = await slice_.users()
        (key,) = await slice_.database.fetch("SELECT id, secret FROM personal_keys")
        (event,) = await written_events(slice_.database)
        return user["id"], key["id"], key["secret"], event.headers["ce_id"]

    before = await made()
    await slice_.database.execute("TRUNCATE users, personal_keys, inbox, outbox CASCADE")
    assert await made() == before
