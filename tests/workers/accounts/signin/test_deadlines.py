"""What happens beside a sign-in: time passes, passwords change, a command is no good."""

from datetime import timedelta

import pytest

from contracts.outcomes import Rejected
from infra.messaging.inbound import PoisonError
from infra.security.seals import SealingKey
from tests.support.outbox import events
from tests.support.users import ADA
from tests.support.workers.accounts_slice import AccountsSlice, InterruptedPasswords
from workers.accounts.rules import MAX_OPTIMISTIC_RETRIES

TRY_AGAIN = Rejected("try-again")
REFUSED = Rejected("invalid-credentials")


async def nothing_happened(deps: AccountsSlice) -> bool:
    return not await deps.sessions() and not await events(deps.database)


async def test_past_its_deadline_a_sign_in_is_refused_without_hashing(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    passwords = InterruptedPasswords()
    deps.with_passwords(passwords)
    await deps.take(deps.command(timeout=timedelta(0)))
    assert deps.outcomes == [TRY_AGAIN]
    assert passwords.slots == 0
    assert await nothing_happened(deps)


async def test_a_deadline_that_passes_while_waiting_for_a_turn_is_heeded(
    deps: AccountsSlice,
) -> None:
    await deps.user()

    async def late() -> None:
        deps.clock.pass_deadlines()

    deps.with_passwords(InterruptedPasswords(begins=late))
    await deps.handle(deps.command())
    assert deps.outcomes == [TRY_AGAIN]
    assert await nothing_happened(deps)


@pytest.mark.parametrize("email", [ADA, "bob@example.com"])
async def test_a_deadline_that_passes_while_hashing_is_heeded(
    deps: AccountsSlice, email: str
) -> None:
    await deps.user()

    async def late() -> None:
        deps.clock.pass_deadlines()

    deps.with_passwords(InterruptedPasswords(ends=late))
    await deps.handle(deps.command(email))
    assert deps.outcomes == [TRY_AGAIN]
    assert await nothing_happened(deps)


async def test_without_a_deadline_it_is_set_aside(deps: AccountsSlice) -> None:
    await deps.user()
    await deps.take(deps.command(timeout=None))
    (dead_letter,) = deps.dead_letters.written
    assert dead_letter.failure.reason == "a command for tokens without a deadline"
    assert await nothing_happened(deps)


async def test_no_connection_is_held_while_hashing(deps: AccountsSlice) -> None:
    await deps.user()
    pool = deps.parts.pool
    busy: list[int] = []

    async def count() -> None:
        busy.append(pool.get_size() - pool.get_idle_size())

    deps.with_passwords(InterruptedPasswords(begins=count, ends=count))
    await deps.handle(deps.command())
    assert busy == [0, 0]
    assert len(await deps.sessions()) == 1


async def test_a_password_changed_meanwhile_wins_over_the_old_one(deps: AccountsSlice) -> None:
    user_id = await deps.user()

    async def change() -> None:
        await deps.change_password(user_id, "Another-horse-8")

    deps.with_passwords(InterruptedPasswords(ends=change))
    await deps.handle(deps.command())
    assert deps.outcomes == [REFUSED]
    assert not await deps.sessions()


async def test_a_password_changed_meanwhile_is_taken_at_once(deps: AccountsSlice) -> None:
    user_id = await deps.user()

    async def change() -> None:
        await deps.change_password(user_id, "Another-horse-8")

    deps.with_passwords(InterruptedPasswords(ends=change))
    await deps.handle(deps.command(password="Another-horse-8"))
    assert len(await deps.sessions()) == 1


async def test_a_renewed_hash_does_not_overwrite_a_changed_password(
    deps: AccountsSlice,
) -> None:
    user_id = await deps.user()
    changed = await deps.hash("Another-horse-8")

    async def change() -> None:
        await deps.database.execute("UPDATE users SET password_hash = $1", changed)

    deps.with_passwords(InterruptedPasswords(ends=change, memory_kib=16))
    await deps.handle(deps.command())
    assert await deps.password_hash(user_id) == changed


async def test_an_account_erased_meanwhile_is_an_unknown_address(deps: AccountsSlice) -> None:
    user_id = await deps.user()

    async def erase() -> None:
        await deps.database.execute("UPDATE users SET erased_at = now()")
        await deps.database.execute("DELETE FROM personal_keys WHERE id = $1", f"user:{user_id}")

    deps.with_passwords(InterruptedPasswords(ends=erase))
    await deps.handle(deps.command())
    assert deps.outcomes == [REFUSED]
    assert not await deps.sessions()


async def test_an_account_that_never_stands_still_is_given_up(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    await deps.database.execute("DELETE FROM personal_keys WHERE id = $1", f"user:{user_id}")
    passwords = InterruptedPasswords()
    deps.with_passwords(passwords)
    await deps.handle(deps.command())
    assert deps.outcomes == [TRY_AGAIN]
    assert passwords.slots == MAX_OPTIMISTIC_RETRIES


async def test_claims_are_those_of_the_moment_in_which_the_session_begins(
    deps: AccountsSlice,
) -> None:
    await deps.user()

    async def promote() -> None:
        await deps.database.execute("UPDATE users SET tier = 'pro', version = version + 1")

    deps.with_passwords(InterruptedPasswords(ends=promote))
    command = deps.command()
    await deps.handle(command)
    principal = deps.principal(deps.tokens(command))
    assert (principal.tier, principal.version) == ("pro", 2)


@pytest.mark.parametrize("reply_key", ["*", "short", "A" * 43, "ä" * 43, "A" * 10_000])
async def test_a_bad_reply_key_is_set_aside_before_any_work(
    deps: AccountsSlice, reply_key: str
) -> None:
    passwords = InterruptedPasswords()
    deps.with_passwords(passwords)
    command = deps.command(reply_key=reply_key)
    await deps.take(command)
    (dead_letter,) = deps.dead_letters.written
    assert dead_letter.failure.reason == "the reply key is not valid"
    assert passwords.slots == 0
    assert await nothing_happened(deps)


async def test_a_seal_for_another_purpose_is_set_aside_without_its_content(
    deps: AccountsSlice,
) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.handle(deps.command(purpose="signup"))
    assert str(error.value) == "the seal cannot be opened"


async def test_a_seal_for_another_worker_is_set_aside(deps: AccountsSlice) -> None:
    deps.sealing = SealingKey(b"\x09" + bytes(31))
    with pytest.raises(PoisonError, match="the seal cannot be opened"):
        await deps.handle(deps.command())


async def test_invalid_content_is_set_aside_without_repeating_it(deps: AccountsSlice) -> None:
    with pytest.raises(PoisonError) as error:
        await deps.handle(deps.command("no address"))
    assert str(error.value) == "the content of the seal is not valid"
