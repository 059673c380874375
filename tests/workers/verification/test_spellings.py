"""A request with another spelling of an address never leads a mail to another mailbox."""

import pytest

from infra.postgres.personal_data_keys import user_keys
from tests.support.users import a_user
from tests.support.workers.link_requests import asks, forget
from tests.support.workers.verification_slice import VerificationSlice

OWNED, OTHER = "weiss@example.org", "wei\u00df@example.org"


async def mailed_to(deps: VerificationSlice) -> set[str]:
    """Where the mails that were drafted go."""
    rows = await deps.database.fetch("SELECT user_id, parameters FROM mails")
    pool = await deps.database.pool()
    async with pool.acquire() as conn:
        keys = await user_keys(conn, [row["user_id"] for row in rows])
    return {keys[row["user_id"]].decrypt(row["parameters"])["to"] for row in rows}


@pytest.mark.parametrize(("owned", "asked"), [(OWNED, OTHER), (OTHER, OWNED)])
async def test_new_password_is_mailed_to_the_address_of_the_account(
    deps: VerificationSlice, owned: str, asked: str
) -> None:
    await a_user(deps.database, owned, verified=True)
    await forget(deps, asked)
    assert await mailed_to(deps) == {owned}


async def test_repeated_sign_up_is_reported_to_the_address_of_the_account(
    deps: VerificationSlice,
) -> None:
    owner = await a_user(deps.database, OWNED, verified=True)
    await deps.hear(await deps.repeated_by(owner, OTHER))
    assert await mailed_to(deps) == {OWNED}


async def test_wanted_address_is_reported_to_the_address_of_its_account(
    deps: VerificationSlice,
) -> None:
    await a_user(deps.database, OWNED, verified=True)
    somebody = await a_user(deps.database, "ada@example.com", verified=True)
    await deps.hear(await asks(deps, somebody, OTHER))
    assert await mailed_to(deps) == {OWNED, "ada@example.com"}


async def test_link_of_a_sign_up_is_mailed_again_to_the_address_that_signed_up(
    deps: VerificationSlice,
) -> None:
    await deps.signed_up(OTHER)
    await deps.ask_again(OWNED)
    assert await mailed_to(deps) == {OTHER}
