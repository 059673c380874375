"""Two workers: a rebalance in the middle of a look-up, and one probe among all."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from contracts.commands import LookUpQuote
from contracts.outcomes import Outcome, Succeeded
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.inbound import InboundMessage
from infra.resilience.policies import Change
from tests.support.message_builders import received
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.workers.quote_results import staleness, until_asked
from tests.support.workers.quotes_slice import ROLE, QuotesSlice, a_link, wired
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.handlers import HANDLES
from workers.quotes.leases import Leases
from workers.quotes.provider_fallback import ProviderFallback
from workers.quotes.yahoo import Yahoo


@dataclass
class Worker:
    """Another process of the same role."""

    parts: QuotesDeps
    outcome_notifier: MemoryOutcomeNotifier

    async def take(self, *commands: InboundMessage[LookUpQuote]) -> None:
        await dispatch_in_bulk(HANDLES, self.parts)(commands)

    async def reported(self) -> list[Outcome]:
        await self.parts.finish()
        return [each.outcome for each in self.outcome_notifier.announced]


@pytest.fixture
async def other(database: Database, redis: Redis, yahoo: Yahoo) -> AsyncIterator[Worker]:
    outcome_notifier = MemoryOutcomeNotifier()

    def chain(changes: deque[Change]) -> ProviderFallback:
        return ProviderFallback([a_link(yahoo, redis, changes)], yahoo)

    worker = Worker(
        wired(await database.pool(ROLE), outcome_notifier, redis, chain), outcome_notifier
    )
    yield worker
    await worker.parts.finish()


def a_command(symbol: str = "AAPL", *, seconds: float = 8) -> InboundMessage[LookUpQuote]:
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    return received(LookUpQuote(symbol=symbol), deadline=deadline, key=symbol)


async def test_a_symbol_that_changes_hands_meanwhile_is_one_call(
    deps: QuotesSlice, other: Worker
) -> None:
    await deps.exchange.fault("AAPL", {"kind": "slow_headers", "seconds": 0.3})
    first = asyncio.create_task(deps.ask(*["AAPL"] * 50))
    await until_asked(deps, "AAPL")
    await other.take(*(a_command() for _ in range(50)))
    reported = [*await first, *await other.reported()]
    assert len(reported) == 100
    assert len({str(outcome) for outcome in reported}) == 1
    assert isinstance(reported[0], Succeeded)
    assert await deps.calls("AAPL") == 1


async def test_who_takes_over_from_a_killed_worker_asks_once_more(
    deps: QuotesSlice, other: Worker, redis: Redis
) -> None:
    killed = Leases(redis, seconds=0.5)
    assert await killed.take(["AAPL"]) == {"AAPL"}
    await other.take(a_command())
    assert [isinstance(outcome, Succeeded) for outcome in await other.reported()] == [True]
    assert await deps.calls("AAPL") == 1


async def test_who_waits_for_another_is_informed_in_time_what_there_is(
    deps: QuotesSlice, other: Worker, redis: Redis
) -> None:
    await Leases(redis).take(["AAPL"])
    await other.take(a_command(seconds=0.8))
    assert str(await other.reported()) == "[Rejected(code='quote-unavailable', detail=None)]"
    assert await deps.calls() == 0


async def test_when_the_first_fails_the_other_shows_the_same(
    deps: QuotesSlice, other: Worker
) -> None:
    await deps.ask("AAPL")
    await deps.make_stale("AAPL")
    await deps.exchange.fault("*", {"kind": "status", "status": 500})
    assert staleness((await deps.ask("AAPL"))[0]) == (True, "upstream_error")
    await other.take(a_command())
    assert [staleness(outcome) for outcome in await other.reported()] == [(True, "upstream_error")]
    assert await deps.calls() == 2


async def test_a_lease_is_given_back_by_its_owner_alone(redis: Redis) -> None:
    one, two = Leases(redis), Leases(redis)
    assert await one.take(["A", "B"]) == {"A", "B"}
    await two.release(["A", "B"])
    assert await two.take(["A", "B", "C"]) == {"C"}
    await one.release(["A"])
    assert await two.take(["A", "B"]) == {"A"}
    assert await two.take([]) == set()


async def test_without_the_cache_server_everyone_asks(redis_away: Redis) -> None:
    leases = Leases(redis_away)
    assert await leases.take(["A"]) == await Leases(redis_away).take(["A"]) == {"A"}
    await leases.release(["A"])


async def test_a_request_to_stop_stops_all_workers_and_is_no_unknown_symbol(
    deps: QuotesSlice, other: Worker
) -> None:
    await deps.exchange.fault("*", {"kind": "rate_limited"})
    await deps.ask("NOPE")
    await other.take(a_command("NOPE"), a_command("AAPL"))
    await until(lambda: len(other.outcome_notifier.announced) == 2)
    assert {str(outcome) for outcome in await other.reported()} == {
        "Rejected(code='quote-unavailable', detail=None)"
    }
    assert await deps.calls() == 1
    assert await deps.cached("NOPE") is None
