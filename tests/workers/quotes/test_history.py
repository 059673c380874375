"""Histories between a real cache server, a real database and the sandbox exchange."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis

from contracts.commands import LookUpHistory
from contracts.history import CachedHistory, HistoryDetail, HistoryKey, HistoryRange, PriceHistory
from contracts.outcomes import Outcome, Rejected, Succeeded
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.inbound import InboundMessage
from tests.support.devstack.exchange_client import MONDAY_NOON_IN_BERLIN
from tests.support.message_builders import received
from tests.support.workers.quote_builders import a_quote
from tests.support.workers.quotes_slice import QuotesSlice
from workers.quotes.handlers import HANDLES

UNKNOWN = Rejected("unknown-symbol")
UNAVAILABLE = Rejected("history-unavailable")
BROKEN = {"kind": "status", "status": 500}


def command(
    symbol: str, range_: HistoryRange = "1mo", detail: HistoryDetail = "full"
) -> InboundMessage[LookUpHistory]:
    deadline = datetime.now(UTC) + timedelta(seconds=8)
    data = LookUpHistory(symbol=symbol, range=range_, detail=detail)
    return received(data, deadline=deadline, key=symbol, reply_to="a-gateway")


async def outcomes(deps: QuotesSlice, *commands: InboundMessage[LookUpHistory]) -> list[Outcome]:
    """The outcomes of one batch."""
    await dispatch_in_bulk(HANDLES, deps.parts)(commands)
    await deps.parts.finish()
    reported = {each.command_id: each.outcome for each in deps.outcome_notifier.announced}
    return [reported[each.envelope.id] for each in commands]


async def history(deps: QuotesSlice, symbol: str, range_: HistoryRange = "1mo") -> PriceHistory:
    [outcome] = await outcomes(deps, command(symbol, range_))
    return history_in(outcome)


def history_in(outcome: Outcome) -> PriceHistory:
    assert isinstance(outcome, Succeeded)
    assert outcome.result
    return PriceHistory.model_validate(outcome.result["history"])


async def make_stale(deps: QuotesSlice, key: HistoryKey) -> None:
    entry = (await deps.parts.history_cache.get([key]))[key]
    past = datetime.now(UTC) - timedelta(seconds=1)
    await deps.parts.history_cache.put({key: entry.model_copy(update={"fresh_until": past})})


@pytest.mark.parametrize(
    ("range_", "interval", "least", "most"),
    [
        ("1d", "5m", 30, 102),
        ("5d", "30m", 70, 90),
        ("1mo", "1d", 20, 23),
        ("6mo", "1d", 120, 135),
        ("ytd", "1d", 30, 60),
        ("1y", "1d", 250, 265),
        ("5y", "1wk", 255, 270),
        ("max", "1mo", 230, 260),
    ],
)
async def test_history_of_each_range_has_its_interval_and_ends_with_the_price(
    deps: QuotesSlice, range_: HistoryRange, interval: str, least: int, most: int
) -> None:
    await deps.exchange.clock(MONDAY_NOON_IN_BERLIN)
    found = await history(deps, "SAP.DE", range_)
    assert (found.range, found.interval, found.currency) == (range_, interval, "EUR")
    assert least <= len(found.points) <= most
    times = [point.time for point in found.points]
    assert times == sorted(set(times))
    last = found.points[-1]
    assert Decimal(last.close or 0) == await deps.exchange.price("SAP.DE")
    assert all(
        Decimal(p.low or 0) <= Decimal(p.close or 0) <= Decimal(p.high or 0) for p in found.points
    )


async def test_history_in_pence_is_reported_in_pounds(deps: QuotesSlice) -> None:
    found = await history(deps, "VOD.L")
    assert (found.currency, found.quoted_unit) == ("GBP", "GBp")
    assert Decimal(found.points[-1].close or 0) * 100 == await deps.exchange.price("VOD.L")


async def test_history_over_a_past_split_has_no_jump(deps: QuotesSlice) -> None:
    closes = [Decimal(p.close or 0) for p in (await history(deps, "NVDA", "5y")).points]
    assert all(Decimal("0.5") < b / a < 2 for a, b in pairwise(closes))


async def test_holes_stay_holes(deps: QuotesSlice) -> None:
    await deps.exchange.fault("SAP.DE", {"kind": "null_holes"})
    found = await history(deps, "SAP.DE")
    assert [point.close is None for point in found.points[:4]] == [True, False, True, False]
    assert found.points[0].volume is None


async def test_many_askers_of_one_history_are_one_call(deps: QuotesSlice) -> None:
    reported = await outcomes(deps, *(command("SAP.DE") for _ in range(20)))
    assert len({str(each) for each in reported}) == 1
    assert await deps.calls("SAP.DE") == 1
    await outcomes(deps, command("SAP.DE"))
    assert await deps.calls("SAP.DE") == 1


async def test_sparklines_asked_for_together_are_one_call(deps: QuotesSlice) -> None:
    symbols = [f"X{n:04d}.DE" for n in range(1, 21)]
    reported = await outcomes(deps, *(command(symbol, "1d", "closes") for symbol in symbols))
    assert [history_in(each).symbol for each in reported] == symbols
    assert await deps.calls() == 1
    assert all(history_in(each).interval == "15m" for each in reported)
    assert all(point.volume is None for point in history_in(reported[0]).points)


async def test_unknown_symbol_among_sparklines_is_asked_for_alone(deps: QuotesSlice) -> None:
    reported = await outcomes(
        deps, command("SAP.DE", "1d", "closes"), command("NOPE", "1d", "closes")
    )
    assert isinstance(reported[0], Succeeded)
    assert reported[1] == UNKNOWN
    assert await deps.calls() == 2
    assert await outcomes(deps, command("NOPE")) == [UNKNOWN]
    assert await deps.calls() == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (BROKEN, "upstream_error"),
        ({"kind": "truncated"}, "upstream_error"),
        ({"kind": "null_currency"}, "upstream_error"),
        ({"kind": "other_symbol"}, "upstream_error"),
        ({"kind": "rate_limited"}, "rate_limited"),
        ({"kind": "slow_headers", "seconds": 5}, "timeout"),
    ],
)
async def test_last_history_is_served_marked_while_the_provider_fails(
    deps: QuotesSlice, fault: dict[str, Any], reason: str
) -> None:
    before = await history(deps, "SAP.DE")
    await make_stale(deps, HistoryKey("SAP.DE", "1mo"))
    await deps.exchange.fault("SAP.DE", fault)
    found = await history(deps, "SAP.DE")
    assert (found.stale, found.stale_reason) == (True, reason)
    assert (found.points, found.fetched_at) == (before.points, before.fetched_at)


async def test_history_after_the_fault_is_not_stale_any_more(deps: QuotesSlice) -> None:
    key = HistoryKey("SAP.DE", "1mo")
    await history(deps, "SAP.DE")
    await make_stale(deps, key)
    await deps.exchange.fault("SAP.DE", BROKEN)
    assert (await history(deps, "SAP.DE")).stale
    await deps.exchange.http.delete("/_control/faults")
    await make_stale(deps, key)
    assert not (await history(deps, "SAP.DE")).stale


async def test_without_a_last_history_a_failure_is_said(deps: QuotesSlice) -> None:
    await deps.exchange.fault("SAP.DE", BROKEN)
    assert await outcomes(deps, command("SAP.DE")) == [UNAVAILABLE]


async def test_failures_open_the_circuit_that_quotes_have(deps: QuotesSlice) -> None:
    await deps.exchange.fault("*", BROKEN)
    for n in range(1, 8):
        await outcomes(deps, command(f"X{n:04d}.DE"))
    [circuit] = deps.parts.chain.describe()
    assert circuit["circuit"] == "open"
    calls = await deps.calls()
    assert await deps.ask("SAP.DE") == [Rejected("quote-unavailable")]
    assert await deps.calls() == calls


async def test_history_a_hundred_times_the_quote_is_held_back(deps: QuotesSlice) -> None:
    price = Decimal(str(await deps.exchange.price("SAP.DE"))) / 100
    await deps.have(a_quote("SAP.DE", price=f"{price:.4f}", currency="EUR"))
    assert await outcomes(deps, command("SAP.DE")) == [UNAVAILABLE]


async def test_without_the_cache_server_this_process_remembers(
    deps: QuotesSlice, redis_away: Redis
) -> None:
    deps.without_cache(redis_away)
    await dispatch_in_bulk(HANDLES, deps.parts)([command("SAP.DE")])
    await deps.parts.finish()
    await dispatch_in_bulk(HANDLES, deps.parts)([command("SAP.DE")])
    await deps.parts.finish()
    assert await deps.calls("SAP.DE") == 1


async def test_anyone_who_another_worker_asks_for_is_reported_what_it_finds(
    deps: QuotesSlice,
) -> None:
    key = HistoryKey("SAP.DE", "1mo")
    found = await history(deps, "SAP.DE")
    await deps.redis.delete(key.cache_key)
    await deps.redis.set(f"qnt9:quote-lease:{key.text}", "another worker")
    asking = asyncio.create_task(outcomes(deps, command("SAP.DE")))
    until = datetime.now(UTC) + timedelta(minutes=1)
    entry = CachedHistory(history=found, fresh_until=until)
    await deps.redis.set(key.cache_key, entry.model_dump_json())
    assert history_in((await asking)[0]) == found
    assert await deps.calls("SAP.DE") == 1
