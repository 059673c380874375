"""The gateway's quote look-ups between a real cache server and a real database."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

from redis.asyncio import Redis

from contracts.message import Command
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.quotes import CachedQuote, Quote, cache_key
from gateway.commands.publisher import CommandPublisher, Intent
from gateway.commands.results import CommandResult
from gateway.context import RequestContext
from tests.support.postgres import Database

CONTEXT = cast("RequestContext", None)


GATEWAY = "qnt9_gateway"


class Worker(CommandPublisher):
    """Replaces Kafka and the quotes worker: answers as the test sets it, else never."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Outcome] = {}
        self.errors: deque[Exception] = deque()

    async def request(
        self,
        context: RequestContext,  # noqa: ARG002  # the bus would carry it
        intent: Intent,  # noqa: ARG002
        command: Command,  # noqa: ARG002
        *,
        key: str,
        seconds: float,
    ) -> CommandResult | None:
        self.asked.append(key)
        if self.errors:
            raise self.errors.popleft()
        if outcome := self.answers.get(key):
            return CommandResult(outcome, None)
        await asyncio.sleep(seconds)
        return None

    def says(self, *quotes: Quote) -> None:
        for quote in quotes:
            found = Succeeded({"quote": quote.model_dump(mode="json")})
            self.answers[quote.symbol] = found

    def knows_not(self, symbol: str) -> None:
        self.answers[symbol] = Rejected("unknown-symbol")


class Shelf:
    """Puts quotes where the gateway looks for them."""

    def __init__(self, redis: Redis, database: Database) -> None:
        self._redis = redis
        self._database = database

    async def cache(self, entry: CachedQuote, symbol: str = "AAPL") -> None:
        await self._redis.set(cache_key(symbol), entry.model_dump_json())

    async def row(self, quote: Quote, fresh_until: datetime | None) -> None:
        await self._database.execute(
            "INSERT INTO quotes VALUES ($1, $2, $3, $4, $5)",
            quote.symbol,
            quote.model_dump(mode="json"),
            quote.as_of,
            quote.fetched_at,
            fresh_until,
        )


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def ahead(**time: float) -> datetime:
    return datetime.now(UTC) + timedelta(**time)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """It took no longer."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield
    assert loop.time() - began < seconds
