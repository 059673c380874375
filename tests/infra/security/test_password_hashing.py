import asyncio

from argon2 import extract_parameters

from infra.security.password_hashing import ITERATIONS, LANES, MEMORY_KIB, Passwords
from tests.support.users import PASSWORD, quick_passwords


async def test_a_hash_is_argon2id_at_owasps_minimum() -> None:
    async with Passwords().slot() as slot:
        known = await slot.hash(PASSWORD)
        assert await slot.matches(PASSWORD, known)
        assert not await slot.matches(PASSWORD + "x", known)
        assert await slot.renewed(PASSWORD, known) is None
    parameters = extract_parameters(known)
    assert known.startswith("$argon2id$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (
        MEMORY_KIB,
        ITERATIONS,
        LANES,
    )


async def test_no_hash_matches_nothing_and_takes_a_hash_all_the_same() -> None:
    async with quick_passwords().slot() as slot:
        assert not await slot.matches(PASSWORD, None)


async def test_a_password_has_one_form() -> None:
    async with quick_passwords().slot() as slot:
        assert await slot.matches("Zu\u0308rich-7-Hu\u0308gel", await slot.hash("Zürich-7-Hügel"))


async def test_a_hash_with_older_parameters_is_renewed() -> None:
    async with quick_passwords().slot() as old:
        known = await old.hash(PASSWORD)
    async with Passwords(memory_kib=16, iterations=1).slot() as slot:
        renewed = await slot.renewed(PASSWORD, known)
        assert renewed
        assert await slot.matches(PASSWORD, renewed)


async def test_no_more_hash_at_once_than_there_are_turns() -> None:
    passwords = quick_passwords(at_once=2)
    holding = most = 0

    async def one() -> None:
        nonlocal holding, most
        async with passwords.slot() as slot:
            holding += 1
            most = max(most, holding)
            await slot.hash(PASSWORD)
            holding -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == 2
