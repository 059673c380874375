"""Batches of commands, up to the lists, the answers and the events."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from asyncpg import Connection

from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import Personal
from contracts.values import WATCHLIST_LIMITS, Tier
from infra.messaging.inbound import PoisonError
from tests.support.message_builders import A_CLIENT
from tests.support.outbox import outcomes, revealed, written_events
from tests.support.users import a_user
from tests.support.waiting import until
from tests.support.workers.watchlist_slice import WatchlistSlice, add, remove


async def test_an_item_is_added_with_an_event_that_only_its_owners_key_opens(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    order = add(ada, "AAPL", "mine alone")
    await deps.handle(order)
    assert await deps.items(ada) == {"AAPL": "mine alone"}
    (written,) = await written_events(deps.database)
    assert written.about == str(ada)
    assert written.headers["ce_causationid"] == str(order.envelope.id)
    assert written.headers["ce_actorid"] == str(ada)
    assert await revealed(deps.database, written.event.client) == A_CLIENT.to_json()
    note = getattr(written.event, "note", None)
    assert isinstance(note, Personal)
    assert note.key_id == f"user:{ada}"
    assert "mine alone" not in written.payload


async def test_a_command_delivered_twice_has_one_effect_and_one_event(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    order = add(ada, "AAPL")
    await deps.take(order, order)
    await deps.take(remove(ada, "AAPL"))
    await deps.take(order)
    assert await deps.items(ada) == {}
    assert await deps.reported(ada) == [("added", "AAPL"), ("removed", "AAPL")]
    again = [
        a.outcome for a in deps.outcome_notifier.announced if a.command_id == order.envelope.id
    ]
    assert again == [Succeeded({"symbol": "AAPL", "note": None}, created=True)] * 3


async def test_a_batch_of_many_owners_gives_each_their_own(deps: WatchlistSlice) -> None:
    ada, bob, eve = [await deps.owner(name) for name in ("ada", "bob", "eve")]
    await deps.handle(
        add(bob, "SAP.DE", "his"),
        add(ada, "AAPL"),
        add(bob, "MSFT"),
        remove(eve, "AAPL"),
        add(ada, "SAP.DE", "hers"),
        remove(bob, "SAP.DE"),
    )
    assert await deps.items(ada) == {"AAPL": None, "SAP.DE": "hers"}
    assert await deps.items(bob) == {"MSFT": None}
    assert await deps.items(eve) == {}
    assert await deps.reported(ada) == [("added", "AAPL"), ("added", "SAP.DE", "hers")]
    assert await deps.reported(bob) == [
        ("added", "SAP.DE", "his"),
        ("added", "MSFT"),
        ("removed", "SAP.DE"),
    ]
    assert len(await outcomes(deps.database)) == 6


async def test_a_batch_takes_as_many_statements_for_many_owners_as_for_one(
    deps: WatchlistSlice,
) -> None:
    owners = [await deps.owner(f"user-{n}") for n in range(20)]
    pool = await deps.database.pool("qnt9_watchlist")
    statements: list[str] = []

    def count(query: Any) -> None:
        statements.append(query.query)

    async with pool.acquire() as conn:
        counted: Connection[Any] = conn._con  # type: ignore[attr-defined]
    counted.add_query_logger(count)
    await deps.handle(add(owners[0], "FIRST"))
    counts = []
    for some in (owners[:1], owners):
        statements.clear()
        await deps.handle(*(add(owner, f"S{len(some)}") for owner in some))
        counts.append(len(statements))
    counted.remove_query_logger(count)
    assert counts[0] == counts[1] < 9


async def test_what_is_added_and_removed_in_one_batch_leaves_two_events_and_no_row(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    await deps.handle(add(ada, "AAPL"), remove(ada, "AAPL"))
    assert await deps.items(ada) == {}
    assert await deps.reported(ada) == [("added", "AAPL"), ("removed", "AAPL")]


async def test_what_is_removed_and_added_again_in_one_batch_is_the_newest(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    await deps.handle(add(ada, "AAPL"), add(ada, "MSFT"))
    await deps.handle(remove(ada, "AAPL"), add(ada, "AAPL"))
    assert list(await deps.items(ada)) == ["MSFT", "AAPL"]


async def test_symbols_of_one_batch_stand_in_the_order_in_which_they_were_added(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    await deps.handle(*(add(ada, symbol) for symbol in ("C", "A", "B")))
    await deps.handle(add(ada, "C", "the first still"))
    assert list(await deps.items(ada)) == ["C", "A", "B"]


@pytest.mark.parametrize("tier", Tier)
async def test_the_tier_is_the_limit(deps: WatchlistSlice, tier: Tier) -> None:
    ada = await deps.owner(tier=tier)
    limit = WATCHLIST_LIMITS[tier]
    await deps.fill(ada, limit - 1)
    last, too_many, note = add(ada, "LAST"), add(ada, "TOOMANY"), add(ada, "S1", "a note")
    await deps.handle(last, too_many, note)
    assert isinstance(deps.outcome(last), Succeeded)
    assert deps.outcome(too_many) == Rejected("watchlist-full", f"at most {limit} symbols")
    assert isinstance(deps.outcome(note), Succeeded)
    assert len(await deps.items(ada)) == limit
    assert await deps.reported(ada) == [("added", "LAST"), ("added", "S1", "a note")]


async def test_erased_and_unknown_users_are_refused_and_hold_up_no_one(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    erased = await a_user(deps.database, "gone@example.com", verified=True, erased=True)
    orders = [add(uuid7(), "AAPL"), add(erased, "AAPL"), add(ada, "AAPL")]
    await deps.handle(*orders)
    assert [deps.outcome(order) for order in orders[:2]] == [Rejected("unknown-user")] * 2
    assert await deps.items(ada) == {"AAPL": None}
    assert len(await written_events(deps.database)) == 1


async def test_a_command_of_no_one_is_set_aside_alone(deps: WatchlistSlice) -> None:
    ada = await deps.owner()
    with pytest.raises(PoisonError):
        await deps.handle(add(None, "AAPL"))
    await deps.take(add(ada, "AAPL"), add(None, "AAPL"), add(ada, "MSFT"))
    (dead_letter,) = deps.dead_letters.written
    assert dead_letter.failure.reason == "a watchlist command without an actor"
    assert list(await deps.items(ada)) == ["AAPL", "MSFT"]


async def test_a_row_that_the_database_refuses_is_set_aside_alone(deps: WatchlistSlice) -> None:
    owners = [await deps.owner(f"user-{n}") for n in range(8)]
    await deps.database.execute(
        "ALTER TABLE watchlist_items ADD CONSTRAINT no_bad_symbol CHECK (symbol <> 'BAD')"
    )
    orders = [add(owner, symbol) for symbol in ("A", "B") for owner in owners]
    orders.insert(5, add(owners[3], "BAD"))
    await deps.take(*orders)
    (dead_letter,) = deps.dead_letters.written
    assert dead_letter.failure.reason == "CheckViolationError in a handler"
    for owner in owners:
        assert list(await deps.items(owner)) == ["A", "B"]
        assert await deps.reported(owner) == [("added", "A"), ("added", "B")]


async def test_batches_over_the_same_owners_neither_deadlock_nor_lose_anything(
    deps: WatchlistSlice,
) -> None:
    owners = [await deps.owner(f"user-{n}") for n in range(6)]

    async def batches(name: str, order: Sequence[Any]) -> None:
        for n in range(8):
            await deps.handle(*(add(owner, f"{name}{n}") for owner in order))

    await asyncio.gather(batches("A", owners), batches("B", owners[::-1]), batches("C", owners))
    for owner in owners:
        items, reported = await deps.items(owner), await deps.reported(owner)
        assert len(items) == 24
        assert [symbol for _, symbol in reported] == list(items)


async def test_a_batch_that_waited_for_another_sees_what_the_other_wrote(
    deps: WatchlistSlice,
) -> None:
    ada = await deps.owner()
    await deps.fill(ada, WATCHLIST_LIMITS[Tier.FREE] - 1)
    pool = await deps.database.pool("qnt9_watchlist")
    order = add(ada, "LATER")
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", ada)
        await conn.execute("INSERT INTO watchlist_items VALUES ($1, 'SOONER')", ada)
        waiting = asyncio.create_task(deps.handle(order))
        await until(lambda: _somebody_waits(deps))
    await waiting
    assert isinstance(deps.outcome(order), Rejected)
    assert len(await deps.items(ada)) == WATCHLIST_LIMITS[Tier.FREE]


async def _somebody_waits(deps: WatchlistSlice) -> bool:
    return bool(await deps.database.fetch("SELECT FROM pg_locks WHERE NOT granted"))
