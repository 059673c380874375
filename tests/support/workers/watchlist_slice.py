"""The slice on a real database: commands in batches in, lists and events out."""

from dataclasses import dataclass, field
from uuid import UUID

from contracts.commands import AddToWatchlist, RemoveFromWatchlist, ReorderWatchlist
from contracts.events import WatchlistItemAdded, WatchlistItemRemoved, WatchlistReordered
from contracts.outcomes import Outcome
from contracts.topics import WATCHLIST, topics_of
from contracts.values import Tier
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.handler_calls import Handle
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from tests.support.message_builders import MemoryDeadLetters, a_record, no_sleep, received
from tests.support.outbox import MemoryOutcomeNotifier, revealed, written_events
from tests.support.postgres import Database
from tests.support.users import a_user
from workers.watchlist.consumer import POLICY
from workers.watchlist.handlers import HANDLES, WatchlistDeps
from workers.watchlist.rules import WatchlistCommand

Order = InboundMessage[WatchlistCommand]


EventSummary = tuple[str, ...]


CARRIED = topics_of(WATCHLIST)[0].carries


@dataclass
class WatchlistSlice:
    """The slice, and who waits for it."""

    transactions: Transactions
    outcome_notifier: MemoryOutcomeNotifier
    database: Database
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)

    @property
    def _handle(self) -> Handle:
        return dispatch_in_bulk(HANDLES, WatchlistDeps(transactions=self.transactions))

    async def handle(self, *orders: Order) -> None:
        """As one batch."""
        await self._handle(orders)

    async def take(self, *orders: Order) -> None:
        """As a batch of records, good or bad."""
        work = BatchProcessor(
            WATCHLIST.name,
            self._handle,
            reader=RecordReader({message.type: message for message in CARRIED}, None),
            dead_letters=self.dead_letters,
            transactions=self.transactions,
            policy=POLICY,
            sleep=no_sleep,
            touch=lambda: None,
        )
        await work.take(
            [
                a_record(o.data, envelope=o.envelope, key=str(o.envelope.actor_id or ""))
                for o in orders
            ]
        )

    async def owner(self, name: str = "ada", *, tier: Tier = Tier.FREE) -> UUID:
        user_id = await a_user(self.database, f"{name}@example.com", verified=True)
        await self.database.execute("UPDATE users SET tier = $2 WHERE id = $1", user_id, tier.value)
        return user_id

    async def fill(self, owner: UUID, count: int) -> None:
        """A list of S1, S2, …"""
        await self.database.execute(
            """
            INSERT INTO watchlist_items (user_id, symbol)
            SELECT $1, 'S' || n FROM generate_series(1, $2::int) AS n
            """,
            owner,
            count,
        )

    async def items(self, owner: UUID) -> dict[str, str | None]:
        """Notes by symbol, in the order in which the owner sees them."""
        rows = await self.database.fetch(
            """
            SELECT symbol, note FROM watchlist_items
             WHERE user_id = $1 ORDER BY position NULLS LAST, added_at, symbol
            """,
            owner,
        )
        return {row["symbol"]: row["note"] for row in rows}

    async def reported(self, owner: UUID) -> list[EventSummary]:
        """What the events about one owner say, in order, in clear."""
        said: list[EventSummary] = []
        for written in await written_events(self.database):
            if written.about != str(owner):
                continue
            match written.event:
                case WatchlistItemAdded(symbol=symbol, note=None):
                    said.append(("added", symbol))
                case WatchlistItemAdded(symbol=symbol, note=note):
                    said.append(("added", symbol, await revealed(self.database, note)))
                case WatchlistItemRemoved(symbol=symbol):
                    said.append(("removed", symbol))
                case WatchlistReordered(symbols=symbols):
                    said.append(("reordered", *symbols))
        return said

    def outcome(self, order: Order) -> Outcome:
        """As it was announced."""
        (outcome,) = (
            each.outcome
            for each in self.outcome_notifier.announced
            if each.command_id == order.envelope.id
        )
        return outcome


def add(owner: UUID | None, symbol: str, note: str | None = None) -> Order:
    return received(AddToWatchlist(symbol=symbol, note=note), actor=owner)


def remove(owner: UUID | None, symbol: str) -> Order:
    return received(RemoveFromWatchlist(symbol=symbol), actor=owner)


def reorder(owner: UUID | None, *symbols: str) -> Order:
    return received(ReorderWatchlist(order=symbols), actor=owner)
