"""What becomes of a command, given the list as the commands before it left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from contracts.commands import AddToWatchlist, RemoveFromWatchlist, ReorderWatchlist
from contracts.events import (
    UserEvent,
    WatchlistItemAdded,
    WatchlistItemRemoved,
    WatchlistReordered,
)
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.personal import Personal
from contracts.values import UserId

WatchlistCommand = AddToWatchlist | RemoveFromWatchlist | ReorderWatchlist


@dataclass(frozen=True, slots=True)
class Watchlist:
    """One user's list: notes by symbol, and how many symbols the tier allows.

    `items` are those that somebody asks about, `others` the number of the rest. `added` are the
    symbols that were added since the list was read, in the order of `items`. Somebody who reorders
    the list asks about all of it, and `items` are in its order.
    """

    owner: UserId
    limit: int
    items: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    others: int = 0
    added: frozenset[str] = frozenset()
    reordered: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the tier allows no further symbol."""
        return len(self.items) + self.others >= self.limit

    def with_item(self, symbol: str, note: str | None) -> Self:
        """Return the list with this symbol and note."""
        added = self.added if symbol in self.items else self.added | {symbol}
        return replace(self, items={**self.items, symbol: note}, added=added)

    def in_order(self, symbols: Sequence[str]) -> Self:
        """The same list with these symbols first, as far as it has them."""
        first = [symbol for symbol in symbols if symbol in self.items]
        items = {symbol: self.items[symbol] for symbol in (*first, *self.items)}
        return replace(self, items=items, reordered=True)

    def without(self, symbol: str) -> Self:
        """Return the list without this symbol."""
        items = {s: n for s, n in self.items.items() if s != symbol}
        return replace(self, items=items, added=self.added - {symbol})


@dataclass(frozen=True, slots=True)
class Decision:
    """The list afterwards, the result for the client, and the event if something changed."""

    watchlist: Watchlist
    outcome: Outcome
    event: UserEvent | None = None


def decide(watchlist: Watchlist, command: WatchlistCommand) -> Decision:
    """Adding is an upsert of the note; removing what is not there is a success."""
    items, owner = watchlist.items, watchlist.owner
    match command:
        case AddToWatchlist(symbol=symbol) if symbol not in items and watchlist.is_full:
            return Decision(
                watchlist, Rejected("watchlist-full", f"at most {watchlist.limit} symbols")
            )
        case AddToWatchlist(symbol=symbol, note=note):
            if symbol in items and items[symbol] == note:
                return Decision(watchlist, _added(symbol, note, created=False))
            event = WatchlistItemAdded(
                user_id=owner, symbol=symbol, note=None if note is None else Personal(note)
            )
            created = symbol not in items
            return Decision(
                watchlist.with_item(symbol, note), _added(symbol, note, created=created), event
            )
        case RemoveFromWatchlist(symbol=symbol) if symbol not in items:
            return Decision(watchlist, Succeeded())
        case ReorderWatchlist(order=symbols):
            return _reordered(watchlist, symbols)
        case RemoveFromWatchlist(symbol=symbol):
            removed = WatchlistItemRemoved(user_id=owner, symbol=symbol)
            return Decision(watchlist.without(symbol), Succeeded(), removed)


def _reordered(watchlist: Watchlist, symbols: Sequence[str]) -> Decision:
    after = watchlist.in_order(symbols)
    order = tuple(after.items)
    outcome = Succeeded({"order": [*order]})
    if order == tuple(watchlist.items):
        return Decision(watchlist, outcome)
    event = WatchlistReordered(user_id=watchlist.owner, symbols=order)
    return Decision(after, outcome, event)


def _added(symbol: str, note: str | None, *, created: bool) -> Succeeded:
    return Succeeded({"symbol": symbol, "note": note}, created=created)
