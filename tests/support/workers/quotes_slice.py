"""The slice between a real database, a real cache server and the sandbox exchange."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from redis.asyncio import Redis

from contracts.commands import LookUpQuote, Search
from contracts.events import Event
from contracts.outcomes import Outcome
from contracts.quotes import CachedQuote, Quote, cache_key
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.inbound import InboundMessage
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.resilience.policies import Change, CircuitPolicy, RetryPolicy
from infra.resilience.provider_calls import Upstream
from tests.support.devstack.exchange_client import Client
from tests.support.message_builders import MemoryDeadLetters, a_record, received
from tests.support.outbox import MemoryOutcomeNotifier, events
from tests.support.postgres import Database
from workers.quotes import store
from workers.quotes.batch_loader import LookUps
from workers.quotes.cache import HistoryCache, QuoteCache
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.handlers import HANDLES, look_up
from workers.quotes.history import look_up_histories
from workers.quotes.leases import Leases
from workers.quotes.provider import Provider
from workers.quotes.provider_fallback import ProviderFallback, ProviderLink
from workers.quotes.search import search_for

ROLE = "qnt9_quotes"


QUICK = RetryPolicy(least_seconds=0.01, most_seconds=0.02, jitter_seconds=0.01, fair_seconds=0.2)


@dataclass
class QuotesSlice:
    """The slice, and all that it talks to."""

    parts: QuotesDeps
    work: BatchProcessor
    database: Database
    redis: Redis
    exchange: Client
    outcome_notifier: MemoryOutcomeNotifier
    dead_letters: MemoryDeadLetters

    def command(
        self, symbol: str = "AAPL", *, seconds: float = 8, reply_to: str | None = "a-gateway"
    ) -> InboundMessage[LookUpQuote]:
        """As the gateway makes it."""
        deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        return received(
            LookUpQuote(symbol=symbol), deadline=deadline, key=symbol, reply_to=reply_to
        )

    async def take(self, commands: Sequence[InboundMessage[LookUpQuote]]) -> None:
        """As one batch of the topic."""
        await self.work.take([a_record(c.data, envelope=c.envelope) for c in commands])

    async def ask(self, *symbols: str, seconds: float = 8) -> list[Outcome]:
        """The outcome of each command of one batch."""
        commands = [self.command(symbol, seconds=seconds) for symbol in symbols]
        await self.take(commands)
        await self.parts.finish()
        reported = {each.command_id: each.outcome for each in self.outcome_notifier.announced}
        return [reported[command.envelope.id] for command in commands]

    async def calls(self, symbol: str | None = None) -> int:
        """How often the exchange was asked."""
        counters = (await self.exchange.log())["counters"]
        if symbol:
            return int(counters["symbols"].get(symbol, 0))
        return int(sum(counters["endpoints"].values()))

    async def cached(self, symbol: str) -> CachedQuote | None:
        value = await self.redis.get(cache_key(symbol))
        return CachedQuote.model_validate_json(value) if value else None

    async def make_stale(self, symbol: str) -> None:
        """The cached quote has had its time."""
        cached = await self.cached(symbol)
        assert cached
        had = cached.model_copy(update={"fresh_until": datetime.now(UTC) - timedelta(seconds=1)})
        await self.parts.cache.put({symbol: had})

    async def have(self, quote: Quote, *, fresh_seconds: float = -60) -> None:
        """A last good quote that only Postgres has, and that is not fresh."""
        pool = await self.database.pool(ROLE)
        until = datetime.now(UTC) + timedelta(seconds=fresh_seconds)
        async with pool.acquire() as conn:
            await store.save(conn, quote, until)

    async def rows(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM quotes ORDER BY symbol")

    async def events(self) -> list[Event]:
        return await events(self.database)

    def without_cache(self, redis_away: Redis) -> None:
        self.parts.cache = QuoteCache(redis_away)
        self.parts.history_cache = HistoryCache(redis_away)
        self.parts.leases = Leases(redis_away)
        self.outcome_notifier.heard = False

    async def search(self, text: str) -> Outcome:
        """The outcome of a search."""
        deadline = datetime.now(UTC) + timedelta(seconds=8)
        command = received(Search(text=text), deadline=deadline, key=text, reply_to="a-gateway")
        await dispatch_in_bulk(HANDLES, self.parts)([command])
        await self.parts.finish()
        reported = {each.command_id: each.outcome for each in self.outcome_notifier.announced}
        return reported[command.envelope.id]


def a_link(provider: Provider, redis: Redis, changes: deque[Change]) -> ProviderLink:
    """A provider that is asked once, behind a circuit of its own."""
    retries = replace(QUICK, attempts=1)
    upstream = Upstream(
        provider.name, redis, changes.append, retries=retries, circuit=CircuitPolicy()
    )
    return ProviderLink(provider, upstream)


def wired(
    pool: Pool,
    outcome_notifier: MemoryOutcomeNotifier,
    redis: Redis,
    links: Callable[[deque[Change]], ProviderFallback],
) -> QuotesDeps:
    """One worker's parts, as its process has them."""
    changes: deque[Change] = deque()
    parts = QuotesDeps(
        transactions=Transactions(pool, "quotes", outcome_notifier),
        pool=pool,
        outcome_notifier=outcome_notifier,
        cache=QuoteCache(redis),
        history_cache=HistoryCache(redis),
        leases=Leases(redis),
        chain=links(changes),
        changes=changes,
    )
    parts.look_ups = LookUps(partial(look_up, parts))
    parts.histories = LookUps(partial(look_up_histories, parts))
    parts.searches = LookUps(partial(search_for, parts), gather_seconds=0)
    return parts
