"""Commands that change watchlists, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.commands import AddToWatchlist, RemoveFromWatchlist, ReorderWatchlist
from contracts.outcomes import Rejected
from contracts.values import UserId
from infra.messaging.dispatch import BulkHandlers
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.transaction import Transactions
from workers.watchlist import store
from workers.watchlist.rules import WatchlistCommand, decide


@dataclass(frozen=True, kw_only=True)
class WatchlistDeps:
    """What the slice works with."""

    transactions: Transactions


async def change_watchlists(
    deps: WatchlistDeps, batch: Sequence[InboundMessage[WatchlistCommand]]
) -> None:
    """The whole batch in one transaction, each owner's commands in their order."""
    async with deps.transactions.begin() as tx:
        all_owners = {_owner(received) for received in batch}
        locked = set(await store.lock_owners(tx.conn, sorted(all_owners)))
        asked = [each for each in _asked(batch) if each[0] in locked]
        owners = await store.read_owners(tx.conn, asked)
        lists = {user_id: owner.watchlist for user_id, owner in owners.items()}
        if reorders := sorted(locked & {_owner(each) for each in batch if _reorders(each)}):
            for user_id, items in (await store.read_items(tx.conn, reorders)).items():
                lists[user_id] = replace(lists[user_id], items=items, others=0)
        before = dict(lists)
        for received in batch:
            user_id = _owner(received)
            if user_id not in lists:
                tx.complete(received, Rejected("unknown-user"))
                continue
            decision = decide(lists[user_id], received.data)
            lists[user_id] = decision.watchlist
            if decision.event:
                tx.emit(decision.event, about=user_id, caused_by=received, key=owners[user_id].key)
            tx.complete(received, decision.outcome)
        await store.save(
            tx.conn,
            [
                change
                for user_id, after in lists.items()
                for change in store.changes(before[user_id], after)
            ],
        )
        await store.save_order(tx.conn, [each for each in lists.values() if each.reordered])


def _asked(batch: Sequence[InboundMessage[WatchlistCommand]]) -> Iterator[tuple[UserId, str]]:
    """Which symbols of whom the commands name, at least one each."""
    for received in batch:
        match received.data:
            case AddToWatchlist(symbol=symbol) | RemoveFromWatchlist(symbol=symbol):
                yield _owner(received), symbol
            case ReorderWatchlist(order=symbols):
                yield _owner(received), symbols[0]


def _reorders(received: InboundMessage[WatchlistCommand]) -> bool:
    return isinstance(received.data, ReorderWatchlist)


def _owner(received: InboundMessage[Any]) -> UserId:
    if received.envelope.actor_id is None:
        raise PoisonError("a watchlist command without an actor")
    return received.envelope.actor_id


HANDLES: BulkHandlers[WatchlistDeps] = {
    AddToWatchlist: change_watchlists,
    RemoveFromWatchlist: change_watchlists,
    ReorderWatchlist: change_watchlists,
}
