"""The tabs of a browser share a refresh token, and use it in any order."""

import asyncio
from datetime import timedelta

from contracts.events import UserSignedIn, UserTokenRefreshed
from tests.support.outbox import events
from tests.support.workers.accounts_slice import AccountsSlice
from workers.accounts.sessions.rules import GRACE

A_MOMENT = timedelta(seconds=1)


async def refreshed(deps: AccountsSlice, token: str) -> str:
    successor: str = (await deps.refreshed(token, several_tabs=True))["refresh_token"]
    return successor


async def test_young_token_is_not_exchanged_again(deps: AccountsSlice) -> None:
    user_id = await deps.user()
    first = await deps.signed_in()
    again = await deps.refreshed(first["refresh_token"], several_tabs=True)
    assert again["refresh_token"] == first["refresh_token"]
    assert deps.principal(again).user_id == user_id
    assert [type(each) for each in await events(deps.database)] == [UserSignedIn]


async def test_old_token_is_exchanged_once_for_all_tabs(deps: AccountsSlice) -> None:
    await deps.user()
    token = (await deps.signed_in())["refresh_token"]
    await deps.later(GRACE + A_MOMENT)
    successors = await asyncio.gather(*(refreshed(deps, token) for _ in range(10)))
    assert len({*successors}) == 1
    assert successors[0] != token
    reported = [type(each) for each in await events(deps.database)]
    assert reported == [UserSignedIn, UserTokenRefreshed]


async def test_tab_that_comes_late_gets_what_the_others_have(deps: AccountsSlice) -> None:
    """One tab refreshes, a second goes on with the successor, a third still has the first token."""
    await deps.user()
    first = (await deps.signed_in())["refresh_token"]
    await deps.later(GRACE + A_MOMENT)
    second = await refreshed(deps, first)
    assert await refreshed(deps, second) == second
    assert await refreshed(deps, first) == second
    await deps.later(GRACE + A_MOMENT)
    assert await refreshed(deps, second) not in {first, second}


async def test_copy_of_a_token_whose_successor_was_used_ends_the_session(
    deps: AccountsSlice,
) -> None:
    await deps.user()
    first = (await deps.signed_in())["refresh_token"]
    await deps.later(GRACE + A_MOMENT)
    second = await refreshed(deps, first)
    await deps.later(GRACE + A_MOMENT)
    third = await refreshed(deps, second)
    assert await deps.refused(first) == "token-reused"
    assert await deps.refused(third) == "invalid-refresh-token"


async def test_young_token_of_a_client_without_tabs_is_exchanged(deps: AccountsSlice) -> None:
    await deps.user()
    first = await deps.signed_in()
    assert (await deps.refreshed(first["refresh_token"]))["refresh_token"] != first["refresh_token"]
