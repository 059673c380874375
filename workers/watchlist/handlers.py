"""Commands that change watchlists, a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.commands import AddToWatchlist, RemoveFromWatchlist
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
        asked = [(_owner(received), received.data.symbol) for received in batch]
        locked = set(await store.lock_owners(tx.conn, sorted({owner for owner, _ in asked})))
        owners = await store.read_owners(tx.conn, [each for each in asked if each[0] in locked])
        lists = {user_id: owner.watchlist for user_id, owner in owners.items()}
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
                for change in store.changes(owners[user_id].watchlist, after)
            ],
        )


def _owner(received: InboundMessage[Any]) -> UserId:
    if received.envelope.actor_id is None:
        raise PoisonError("a watchlist command without an actor")
    return received.envelope.actor_id


HANDLES: BulkHandlers[WatchlistDeps] = {
    AddToWatchlist: change_watchlists,
    RemoveFromWatchlist: change_watchlists,
}
