"""Fixtures of these tests."""

import pytest

from contracts.topics import WATCHLIST
from infra.messaging.transaction import Transactions
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.workers.watchlist_slice import WatchlistSlice


@pytest.fixture
async def deps(database: Database) -> WatchlistSlice:
    outcome_notifier = MemoryOutcomeNotifier()
    pool = await database.pool("qnt9_watchlist")
    return WatchlistSlice(
        Transactions(pool, WATCHLIST.name, outcome_notifier), outcome_notifier, database
    )
