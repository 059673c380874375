"""What goes of sessions and refresh tokens, with the rights of accounts."""

from datetime import timedelta

from infra.postgres.retention import run
from tests.workers.accounts.conftest import AccountsSlice
from workers.accounts.retention import rules
from workers.accounts.rules import REFRESH_LIFETIME, SESSION_LIFETIME

INVALID = "invalid-refresh-token"
KEEP = timedelta(days=30)
A_DAY = timedelta(days=1)


async def clean(slice_: AccountsSlice, *, at_once: int = 1_000) -> list[int]:
    """How many tokens and how many sessions went."""
    pool = await slice_.database.pool("qnt9_accounts")
    return [await run(pool, rule, at_once=at_once, pause=0) for rule in rules(KEEP)]


async def test_sessions_that_cannot_be_refreshed_any_more_go_with_their_tokens(
    slice_: AccountsSlice,
) -> None:
    await slice_.user(verified=True)
    for _ in range(3):
        tokens = await slice_.signed_in()
        await slice_.refreshed(tokens["refresh_token"])
    await slice_.later(REFRESH_LIFETIME + KEEP - A_DAY)
    assert await clean(slice_) == [0, 0]
    await slice_.later(2 * A_DAY)
    living = await slice_.signed_in()
    assert await clean(slice_, at_once=4) == [6, 3]
    await slice_.refreshed(living["refresh_token"])


async def test_a_copied_token_ends_its_session_for_as_long_as_it_could_be_refreshed(
    slice_: AccountsSlice,
) -> None:
    await slice_.user(verified=True)
    copied = (await slice_.signed_in())["refresh_token"]
    newest = (await slice_.refreshed(copied))["refresh_token"]
    for _ in range(2):
        await slice_.later(REFRESH_LIFETIME - A_DAY)
        newest = (await slice_.refreshed(newest))["refresh_token"]
        await clean(slice_)
    assert await slice_.refused(copied) == "token-reused"
    assert await slice_.refused(newest) == INVALID


async def test_a_token_that_expired_long_ago_is_unknown_and_ends_nothing(
    slice_: AccountsSlice,
) -> None:
    await slice_.user(verified=True)
    copied = (await slice_.signed_in())["refresh_token"]
    newest = (await slice_.refreshed(copied))["refresh_token"]
    for _ in range(3):
        await slice_.later(REFRESH_LIFETIME - A_DAY)
        newest = (await slice_.refreshed(newest))["refresh_token"]
    assert 3 * (REFRESH_LIFETIME - A_DAY) < SESSION_LIFETIME
    assert await clean(slice_) == [2, 0], "the first two expired more than a month ago"
    assert await slice_.refused(copied) == INVALID
    await slice_.refreshed(newest)


async def test_an_ended_session_stays_ended_while_it_is_kept(slice_: AccountsSlice) -> None:
    await slice_.user(verified=True)
    token = (await slice_.signed_in())["refresh_token"]
    await slice_.database.execute("UPDATE sessions SET ended_at = now()")
    await slice_.later(REFRESH_LIFETIME)
    assert await clean(slice_) == [0, 0]
    assert await slice_.refused(token) == INVALID
    await slice_.later(KEEP + A_DAY)
    assert await clean(slice_) == [1, 1]
    assert await slice_.refused(token) == INVALID
