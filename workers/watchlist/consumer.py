"""watchlist.commands → handlers, in bulk."""

from functools import partial

from contracts.topics import WATCHLIST
from infra.messaging.consumer_policy import Policy
from infra.runtime.process import Worker
from workers.watchlist.handlers import change_watchlists

POLICY = Policy(max_records=500, in_bulk=True)


async def start(worker: Worker) -> None:
    transactions = worker.transactions(WATCHLIST)
    await worker.consume(
        WATCHLIST,
        partial(change_watchlists, transactions),
        transactions=transactions,
        policy=POLICY,
    )
