"""The order of a watchlist: set, kept, and never in the way of what else changes."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.commands import ReorderWatchlist
from contracts.events import WatchlistReordered
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from tests.support.workers.watchlist_slice import WatchlistSlice, add, remove, reorder
from workers.watchlist.rules import Watchlist, decide

ADA = uuid7()


def a_watchlist(*symbols: str) -> Watchlist:
    return Watchlist(ADA, 50, dict.fromkeys(symbols))


def test_named_symbols_come_first_and_the_others_follow() -> None:
    decision = decide(a_watchlist("A", "B", "C", "D"), ReorderWatchlist(order=("d", "B")))
    assert [*decision.watchlist.items] == ["D", "B", "A", "C"]
    assert decision.outcome == Succeeded({"order": ["D", "B", "A", "C"]})
    assert decision.event == WatchlistReordered(user_id=ADA, symbols=("D", "B", "A", "C"))


def test_order_that_the_list_has_is_no_event() -> None:
    listed = a_watchlist("A", "B")
    decision = decide(listed, ReorderWatchlist(order=("A", "NOPE")))
    assert (decision.watchlist, decision.event) == (listed, None)
    assert decision.outcome == Succeeded({"order": ["A", "B"]})


@pytest.mark.parametrize("order", [[], ["A", "A"], ["a", "A"], ["not a symbol"], ["A"] * 1_001])
def test_order_that_cannot_be_one_is_refused(order: list[str]) -> None:
    with pytest.raises(ValueError, match="order"):
        ReorderWatchlist(order=tuple(order))


SYMBOLS = st.lists(st.sampled_from("ABCDEFGH"), min_size=1, unique=True)


@given(st.lists(st.sampled_from("ABCDEFGH"), unique=True), SYMBOLS)
def test_reordering_keeps_every_item(listed: list[str], order: list[str]) -> None:
    after = decide(a_watchlist(*listed), ReorderWatchlist(order=tuple(order))).watchlist
    assert sorted(after.items) == sorted(listed)
    named = [symbol for symbol in order if symbol in listed]
    others = [symbol for symbol in listed if symbol not in order]
    assert [*after.items] == named + others


async def order_of(deps: WatchlistSlice, owner: UUID) -> list[str]:
    return [*await deps.items(owner)]


async def test_order_is_kept_and_new_symbols_follow(deps: WatchlistSlice) -> None:
    ada, bob = await deps.owner(), await deps.owner("bob")
    for owner in (ada, bob):
        await deps.handle(*(add(owner, symbol) for symbol in ("A", "B", "C")))
    await deps.handle(reorder(ada, "C", "A"))
    await deps.handle(add(ada, "D"), add(ada, "A", "a note"))
    assert await order_of(deps, ada) == ["C", "A", "B", "D"]
    assert await order_of(deps, bob) == ["A", "B", "C"]
    assert (await deps.reported(ada))[3] == ("reordered", "C", "A", "B")


async def test_changes_of_one_batch_take_effect_in_their_order(deps: WatchlistSlice) -> None:
    ada = await deps.owner()
    await deps.fill(ada, 3)
    orders = (
        add(ada, "NEW"),
        reorder(ada, "NEW", "S2"),
        remove(ada, "S2"),
        add(ada, "S2", "back"),
        reorder(ada, "S3"),
    )
    await deps.handle(*orders)
    assert await order_of(deps, ada) == ["S3", "NEW", "S1", "S2"]
    assert deps.outcome(orders[-1]) == Succeeded({"order": ["S3", "NEW", "S1", "S2"]})
    assert (await deps.items(ada))["S2"] == "back"


async def test_limit_counts_after_a_reorder_in_the_same_batch(deps: WatchlistSlice) -> None:
    ada = await deps.owner()
    await deps.fill(ada, 50)
    too_many = add(ada, "NEW")
    await deps.handle(reorder(ada, "S9"), too_many)
    assert isinstance(deps.outcome(too_many), Rejected)
    assert (await order_of(deps, ada))[0] == "S9"


async def test_user_who_does_not_exist_is_told_so(deps: WatchlistSlice) -> None:
    nobody = reorder(uuid7(), "A")
    await deps.handle(nobody)
    assert deps.outcome(nobody) == Rejected("unknown-user")


async def test_reorders_at_once_leave_one_of_the_orders(deps: WatchlistSlice) -> None:
    ada = await deps.owner()
    await deps.fill(ada, 4)
    wanted = [["S4", "S3", "S2", "S1"], ["S2", "S1", "S4", "S3"]]
    await asyncio.gather(*(deps.handle(reorder(ada, *order)) for order in wanted))
    assert await order_of(deps, ada) in wanted
