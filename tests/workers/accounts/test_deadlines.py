"""What happens beside a sign-in: time passes, passwords change, a command is no good."""

from datetime import timedelta

import pytest

from contracts.outcomes import Rejected
from infra.messaging.inbound import PoisonError
from infra.security.seals import SealingKey
from tests.outbox import events
from tests.people import ADA
from tests.workers.accounts.conftest import AccountsSlice, InterruptedPasswords
from workers.accounts.rules import LOOKS

TRY_AGAIN = Rejected("try-again")
REFUSED = Rejected("invalid-credentials")


async def nothing_happened(slice_: AccountsSlice) -> bool:
    return not await slice_.sessions() and not await events(slice_.database)


async def test_past_its_deadline_a_sign_in_is_refused_without_hashing(
    slice_: AccountsSlice,
) -> None:
    await slice_.user()
    passwords = InterruptedPasswords()
    slice_.with_passwords(passwords)
    await slice_.take(slice_.command(patience=timedelta(0)))
    assert slice_.outcomes == [TRY_AGAIN]
    assert passwords.turns == 0
    assert await nothing_happened(slice_)


async def test_a_deadline_that_passes_while_waiting_for_a_turn_is_heeded(
    slice_: AccountsSlice,
) -> None:
    await slice_.user()

    async def late() -> None:
        slice_.clock.pass_deadlines()

    slice_.with_passwords(InterruptedPasswords(begins=late))
    await slice_.handle(slice_.command())
    assert slice_.outcomes == [TRY_AGAIN]
    assert await nothing_happened(slice_)


@pytest.mark.parametrize("email", [ADA, "bob@example.com"])
async def test_a_deadline_that_passes_while_hashing_is_heeded(
    slice_: AccountsSlice, email: str
) -> None:
    await slice_.user()

    async def late() -> None:
        slice_.clock.pass_deadlines()

    slice_.with_passwords(InterruptedPasswords(ends=late))
    await slice_.handle(slice_.command(email))
    assert slice_.outcomes == [TRY_AGAIN]
    assert await nothing_happened(slice_)


async def test_without_a_deadline_it_is_set_aside(slice_: AccountsSlice) -> None:
    await slice_.user()
    await slice_.take(slice_.command(patience=None))
    (letter,) = slice_.dead_letters.written
    assert letter.failure.reason == "a command for tokens without a deadline"
    assert await nothing_happened(slice_)


async def test_no_connection_is_held_while_hashing(slice_: AccountsSlice) -> None:
    await slice_.user()
    pool = slice_.parts.pool
    busy: list[int] = []

    async def count() -> None:
        busy.append(pool.get_size() - pool.get_idle_size())

    slice_.with_passwords(InterruptedPasswords(begins=count, ends=count))
    await slice_.handle(slice_.command())
    assert busy == [0, 0]
    assert len(await slice_.sessions()) == 1


async def test_a_password_changed_meanwhile_wins_over_the_old_one(slice_: AccountsSlice) -> None:
    user_id = await slice_.user()

    async def change() -> None:
        await slice_.change_password(user_id, "Another-horse-8")

    slice_.with_passwords(InterruptedPasswords(ends=change))
    await slice_.handle(slice_.command())
    assert slice_.outcomes == [REFUSED]
    assert not await slice_.sessions()


async def test_a_password_changed_meanwhile_is_taken_at_once(slice_: AccountsSlice) -> None:
    user_id = await slice_.user()

    async def change() -> None:
        await slice_.change_password(user_id, "Another-horse-8")

    slice_.with_passwords(InterruptedPasswords(ends=change))
    await slice_.handle(slice_.command(password="Another-horse-8"))
    assert len(await slice_.sessions()) == 1


async def test_a_renewed_hash_does_not_overwrite_a_changed_password(
    slice_: AccountsSlice,
) -> None:
    user_id = await slice_.user()
    changed = await slice_.hash("Another-horse-8")

    async def change() -> None:
        await slice_.database.execute("UPDATE users SET password_hash = $1", changed)

    slice_.with_passwords(InterruptedPasswords(ends=change, memory_kib=16))
    await slice_.handle(slice_.command())
    assert await slice_.password_hash(user_id) == changed


async def test_an_account_erased_meanwhile_is_an_unknown_address(slice_: AccountsSlice) -> None:
    user_id = await slice_.user()

    async def erase() -> None:
        await slice_.database.execute("UPDATE users SET erased_at = now()")
        await slice_.database.execute("DELETE FROM personal_keys WHERE id = $1", f"user:{user_id}")

    slice_.with_passwords(InterruptedPasswords(ends=erase))
    await slice_.handle(slice_.command())
    assert slice_.outcomes == [REFUSED]
    assert not await slice_.sessions()


async def test_an_account_that_never_stands_still_is_given_up(slice_: AccountsSlice) -> None:
    user_id = await slice_.user()
    await slice_.database.execute("DELETE FROM personal_keys WHERE id = $1", f"user:{user_id}")
    passwords = InterruptedPasswords()
    slice_.with_passwords(passwords)
    await slice_.handle(slice_.command())
    assert slice_.outcomes == [TRY_AGAIN]
    assert passwords.turns == LOOKS


async def test_claims_are_those_of_the_moment_in_which_the_session_begins(
    slice_: AccountsSlice,
) -> None:
    await slice_.user()

    async def promote() -> None:
        await slice_.database.execute("UPDATE users SET tier = 'pro', version = version + 1")

    slice_.with_passwords(InterruptedPasswords(ends=promote))
    command = slice_.command()
    await slice_.handle(command)
    principal = slice_.principal(slice_.tokens(command))
    assert (principal.tier, principal.version) == ("pro", 2)


@pytest.mark.parametrize("reply_key", ["*", "short", "A" * 43, "ä" * 43, "A" * 10_000])
async def test_a_bad_reply_key_is_set_aside_before_any_work(
    slice_: AccountsSlice, reply_key: str
) -> None:
    passwords = InterruptedPasswords()
    slice_.with_passwords(passwords)
    command = slice_.command(reply_key=reply_key)
    await slice_.take(command)
    (letter,) = slice_.dead_letters.written
    assert letter.failure.reason == "the reply key is not valid"
    assert passwords.turns == 0
    assert await nothing_happened(slice_)


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    slice_: AccountsSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await slice_.handle(slice_.command(purpose="signup"))
    assert str(error.value) == "the seal cannot be opened"


async def test_a_seal_for_another_worker_is_set_aside(slice_: AccountsSlice) -> None:
    slice_.sealing = SealingKey(b"\x09" + bytes(31))
    with pytest.raises(PoisonError, match="the seal cannot be opened"):
        await slice_.handle(slice_.command())


async def test_invalid_content_is_set_aside_without_repeating_it(slice_: AccountsSlice) -> None:
    with pytest.raises(PoisonError) as error:
        await slice_.handle(slice_.command("no address"))
    assert str(error.value) == "the content of the seal is not valid"
