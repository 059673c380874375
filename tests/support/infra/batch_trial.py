"""A consumer's slice that a batch processor runs, and what became of its records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.commands import AddToWatchlist
from contracts.outcomes import Succeeded
from contracts.topics import WATCHLIST
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.consumer_controls import Action, Instruction
from infra.messaging.consumer_policy import Policy
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from tests.support.message_builders import ARecord, MemoryDeadLetters, a_record, no_sleep
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database

IN_BULK = Policy(in_bulk=True)


ONE_BY_ONE = Policy()


def order(symbol: str, *, key: str = "anna") -> ARecord:
    return a_record(AddToWatchlist(symbol=symbol), key=key)


def again(record: ARecord) -> ARecord:
    """The same message on a later place."""
    return ARecord(record.value, record.headers, record.topic, record.key)


@dataclass
class Slice:
    """A handler that completes what it gets, unless it is set to fail."""

    transactions: Transactions
    fault: Callable[[str], Exception | None] = lambda _: None
    batches: list[list[str]] = field(default_factory=list)

    async def handle(self, batch: Sequence[InboundMessage[Any]]) -> None:
        self.batches.append([received.data.symbol for received in batch])
        async with self.transactions.begin() as tx:
            for received in batch:
                if error := self.fault(received.data.symbol):
                    raise error
                tx.complete(received, Succeeded())

    def fails_for(self, *symbols: str, error: Exception | None = None) -> None:
        error = error or LookupError("CANARY")
        self.fault = lambda symbol: error if symbol in symbols else None

    @property
    def tried(self) -> list[str]:
        return [symbol for batch in self.batches for symbol in batch]


@dataclass
class Trial:
    deps: Slice
    work: BatchProcessor
    dead_letters: MemoryDeadLetters
    outcome_notifier: MemoryOutcomeNotifier
    database: Database

    async def take(self, *records: ARecord) -> None:
        await self.work.take(records)

    async def handled(self) -> int:
        return len(await self.database.fetch("SELECT FROM inbox"))

    @property
    def set_aside(self) -> list[object]:
        return [dead_letter.record for dead_letter in self.dead_letters.written]

    @property
    def reasons(self) -> list[str]:
        return [dead_letter.failure.reason for dead_letter in self.dead_letters.written]


async def a_trial(database: Database, policy: Policy) -> Trial:
    outcome_notifier, dead_letters = MemoryOutcomeNotifier(), MemoryDeadLetters()
    transactions = Transactions(
        await database.pool("qnt9_watchlist"), WATCHLIST.name, outcome_notifier
    )
    deps = Slice(transactions)
    work = BatchProcessor(
        WATCHLIST.name,
        deps.handle,
        reader=RecordReader({AddToWatchlist.type: AddToWatchlist}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=policy,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return Trial(deps, work, dead_letters, outcome_notifier, database)


def instruction(action: Action, record: ARecord) -> Instruction:
    return Instruction(
        action=action,
        topic=record.topic,
        partition=record.partition,
        first=record.offset,
        until=record.offset + 1,
        type=None,
        key=None,
        operator="ada",
        reason="a trial",
    )
