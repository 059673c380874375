"""watchlist.commands → handlers, in bulk."""

from contracts.topics import WATCHLIST
from infra.composition.process import Worker
from infra.messaging.consumer_policy import Policy
from infra.messaging.dispatch import dispatch_in_bulk
from workers.watchlist.handlers import HANDLES, WatchlistDeps

POLICY = Policy(max_records=500, in_bulk=True)


async def start(worker: Worker) -> None:
    """Start the consumer of the slice."""
    deps = WatchlistDeps(transactions=worker.transactions(WATCHLIST))
    await worker.consume(
        WATCHLIST,
        dispatch_in_bulk(HANDLES, deps),
        transactions=deps.transactions,
        policy=POLICY,
    )
