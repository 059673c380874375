"""What goes of sessions and refresh tokens, with the rights of accounts."""

from datetime import timedelta

from infra.postgres.retention import run
from tests.support.workers.accounts_slice import AccountsSlice
from workers.accounts.rules import REFRESH_LIFETIME, SESSION_LIFETIME
from workers.accounts.sessions.retention import rules

INVALID = "invalid-refresh-token"
KEEP = timedelta(days=30)
A_DAY = timedelta(days=1)


async def clean(deps: AccountsSlice, *, at_once: int = 1_000) -> list[int]:
    """How many tokens and how many sessions went."""
    pool = await deps.database.pool("qnt9_accounts")
    return [await run(pool, rule, at_once=at_once, pause=0) for rule in rules(KEEP)]


async def test_sessions_that_cannot_be_refreshed_any_more_go_with_their_tokens(
    deps: AccountsSlice,
) -> None:
    await deps.user(verified=True)
    for _ in range(3):
        tokens = await deps.signed_in()
        await deps.refreshed(tokens["refresh_token"])
    await deps.later(REFRESH_LIFETIME + KEEP - A_DAY)
    assert await clean(deps) == [0, 0]
    await deps.later(2 * A_DAY)
    living = await deps.signed_in()
    assert await clean(deps, at_once=4) == [6, 3]
    await deps.refreshed(living["refresh_token"])


async def test_a_copied_token_ends_its_session_for_as_long_as_it_could_be_refreshed(
    deps: AccountsSlice,
) -> None:
    await deps.user(verified=True)
    copied = (await deps.signed_in())["refresh_token"]
    newest = (await deps.refreshed(copied))["refresh_token"]
    for _ in range(2):
        await deps.later(REFRESH_LIFETIME - A_DAY)
        newest = (await deps.refreshed(newest))["refresh_token"]
        await clean(deps)
    assert await deps.refused(copied) == "token-reused"
    assert await deps.refused(newest) == INVALID


async def test_a_token_that_expired_long_ago_is_unknown_and_ends_nothing(
    deps: AccountsSlice,
) -> None:
    await deps.user(verified=True)
    copied = (await deps.signed_in())["refresh_token"]
    newest = (await deps.refreshed(copied))["refresh_token"]
    for _ in range(3):
        await deps.later(REFRESH_LIFETIME - A_DAY)
        newest = (await deps.refreshed(newest))["refresh_token"]
    assert 3 * (REFRESH_LIFETIME - A_DAY) < SESSION_LIFETIME
    assert await clean(deps) == [2, 0], "the first two expired more than a month ago"
    assert await deps.refused(copied) == INVALID
    await deps.refreshed(newest)


async def test_an_ended_session_stays_ended_while_it_is_kept(deps: AccountsSlice) -> None:
    await deps.user(verified=True)
    token = (await deps.signed_in())["refresh_token"]
    await deps.database.execute("UPDATE sessions SET ended_at = now()")
    await deps.later(REFRESH_LIFETIME)
    assert await clean(deps) == [0, 0]
    assert await deps.refused(token) == INVALID
    await deps.later(KEEP + A_DAY)
    assert await clean(deps) == [1, 1]
    assert await deps.refused(token) == INVALID
