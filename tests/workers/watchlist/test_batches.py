"""However commands are cut into batches: the same lists, answers and events as one by one."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.commands import AddToWatchlist, RemoveFromWatchlist
from contracts.outcomes import Outcome
from contracts.values import WATCHLIST_LIMITS, Tier
from tests.support.message_builders import received
from tests.support.workers.watchlist_slice import EventSummary, WatchlistSlice
from workers.watchlist.rules import WatchlistCommand

OWNERS = 3
ROOM = 3
"""Symbols that each list still takes, so that the limit matters."""

symbols = st.sampled_from(["A", "B", "C", "D", "E", "S1"])
commands = st.one_of(
    st.builds(AddToWatchlist, symbol=symbols, note=st.sampled_from([None, "x", "y"])),
    st.builds(RemoveFromWatchlist, symbol=symbols),
)
sequences = st.lists(st.tuples(st.integers(0, OWNERS - 1), commands), max_size=16)
Sequences = Sequence[tuple[int, WatchlistCommand]]


async def afterwards(deps: WatchlistSlice, sequence: Sequences, cuts: Sequence[int]) -> list[Any]:
    """The lists and outcomes of their owners after these batches."""
    owners = [await an_owner(deps) for _ in range(OWNERS)]
    orders = [received(command, actor=owners[n]) for n, command in sequence]
    for begin, end in pairwise([0, *cuts, len(orders)]):
        if begin < end:
            await deps.handle(*orders[begin:end])
    lists: list[list[tuple[str, str | None]]] = []
    events: list[list[EventSummary]] = []
    for owner in owners:
        lists.append(list((await deps.items(owner)).items()))
        events.append(await deps.reported(owner))
    outcomes: list[Outcome] = [deps.outcome(order) for order in orders]
    return [lists, events, outcomes]


async def an_owner(deps: WatchlistSlice) -> UUID:
    owner = await deps.owner(uuid4().hex)
    await deps.fill(owner, WATCHLIST_LIMITS[Tier.FREE] - ROOM)
    return owner


# The database outlives an example; each has owners of its own in it.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequence=sequences, cuts=st.lists(st.integers(0, 16), max_size=6))
async def test_however_commands_are_cut_into_batches_everything_is_as_one_by_one(
    deps: WatchlistSlice, sequence: Sequences, cuts: list[int]
) -> None:
    within = sorted(min(cut, len(sequence)) for cut in cuts)
    in_batches = await afterwards(deps, sequence, within)
    one_by_one = await afterwards(deps, sequence, range(1, len(sequence)))
    assert in_batches == one_by_one
