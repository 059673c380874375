"""Quotes while a provider, the cache server or the database is away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from contracts.events import (
    ProviderCircuitChanged,
    ProviderRateLimited,
    QuoteServedStale,
    QuoteUnavailable,
)
from contracts.outcomes import outcome_of
from tests.support.workers.quote_builders import a_quote
from tests.support.workers.quote_outcomes import QUOTE_UNAVAILABLE, UNKNOWN
from tests.support.workers.quote_results import staleness
from tests.support.workers.quotes_slice import ROLE, QuotesSlice

BROKEN = {"kind": "status", "status": 500}


async def test_one_429_and_no_one_is_asked_any_more(deps: QuotesSlice) -> None:
    await deps.ask("AAPL")
    await deps.make_stale("AAPL")
    await deps.exchange.fault("*", {"kind": "rate_limited", "times": 1})
    (first,) = await deps.ask("AAPL")
    second, nothing = await deps.ask("AAPL", "NOPE")
    assert staleness(first) == staleness(second) == (True, "rate_limited")
    assert nothing == QUOTE_UNAVAILABLE
    assert await deps.calls() == 2
    displayed = await deps.cached("AAPL")
    assert displayed
    assert displayed.stale_reason == "rate_limited"
    assert await deps.cached("NOPE") is None
    reported = (await deps.events())[1:]
    assert sorted(type(event).__name__ for event in reported) == [
        "ProviderCircuitChanged",
        "ProviderRateLimited",
        "QuoteServedStale",
        "QuoteUnavailable",
    ]
    for event in reported:
        match event:
            case ProviderRateLimited(until=limited):
                assert limited > datetime.now(UTC) + timedelta(seconds=280)
            case ProviderCircuitChanged():
                assert (event.provider, event.before, event.after) == ("sandbox", "closed", "open")
            case QuoteServedStale() | QuoteUnavailable():
                assert event.reason == "rate_limited"


async def test_five_failures_open_the_circuit_and_the_last_good_quote_is_served(
    deps: QuotesSlice,
) -> None:
    await deps.ask("AAPL")
    await deps.exchange.fault("*", BROKEN)
    reasons = []
    for _ in range(7):
        await deps.make_stale("AAPL")
        reasons.append(staleness((await deps.ask("AAPL"))[0]))
    assert reasons == [(True, "upstream_error")] * 5 + [(True, "circuit_open")] * 2
    assert await deps.calls() == 6
    _, *reported = await deps.events()
    assert [type(event) for event in reported] == [QuoteServedStale, ProviderCircuitChanged]
    (state,) = deps.parts.chain.describe()
    assert (state["circuit"], state["last_error"]) == ("open", "status 500")
    assert state["until"] > state["last_error_at"]


async def test_what_could_not_be_renewed_is_not_asked_for_again_at_once(
    deps: QuotesSlice,
) -> None:
    await deps.have(a_quote())
    await deps.exchange.fault("*", BROKEN)
    for _ in range(3):
        assert staleness((await deps.ask("AAPL"))[0]) == (True, "upstream_error")
    assert await deps.calls() == 1
    entry = await deps.cached("AAPL")
    assert entry
    displayed = entry.displayed()
    assert displayed
    assert (displayed.stale, displayed.stale_reason) == (True, "upstream_error")


async def test_a_time_out_is_called_one(deps: QuotesSlice) -> None:
    await deps.have(a_quote())
    await deps.exchange.fault("*", {"kind": "slow_headers", "seconds": 3})
    assert staleness((await deps.ask("AAPL"))[0]) == (True, "timeout")
    await deps.make_stale("AAPL")
    assert staleness((await deps.ask("AAPL", seconds=0.3))[0]) == (True, "timeout")
    assert await deps.calls() == 1


async def test_without_a_good_quote_no_one_knows(deps: QuotesSlice) -> None:
    await deps.exchange.fault("AAPL", BROKEN)
    assert await deps.ask("AAPL") == [QUOTE_UNAVAILABLE]
    assert await deps.ask("AAPL") == [QUOTE_UNAVAILABLE]
    assert await deps.events() == [QuoteUnavailable(symbol="AAPL", reason="upstream_error")]
    assert await deps.cached("AAPL") is None


async def test_a_last_good_quote_that_is_too_old_is_not_shown(deps: QuotesSlice) -> None:
    await deps.have(a_quote(fetched_at=datetime.now(UTC) - timedelta(hours=97)))
    await deps.exchange.fault("AAPL", BROKEN)
    assert await deps.ask("AAPL") == [QUOTE_UNAVAILABLE]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "price", "value": 0}, {"kind": "null_currency"}, {"kind": "other_symbol"}],
    ids=str,
)
async def test_what_is_no_price_is_not_shown_and_not_asked_for_again_at_once(
    deps: QuotesSlice, fault: dict[str, Any]
) -> None:
    await deps.have(a_quote("SAP.DE"))
    await deps.exchange.fault("*", fault)
    symbols = ("SAP.DE", *(f"X{n:04}.DE" for n in range(1, 7)))
    outcomes = await deps.ask(*symbols)
    assert staleness(outcomes[0]) == (True, "upstream_error")
    assert outcomes[1:] == [QUOTE_UNAVAILABLE] * 6
    asked = await deps.calls()
    await deps.ask(*symbols)
    assert await deps.calls() == asked
    assert not [e for e in await deps.events() if isinstance(e, ProviderCircuitChanged)]


async def test_without_the_cache_server_rows_are_written_and_stale_quotes_come_from_them(
    deps: QuotesSlice, redis_away: Redis
) -> None:
    deps.without_cache(redis_away)
    asked = datetime.now(UTC)
    await deps.ask("AAPL")
    (row,) = await deps.rows()
    assert row["fetched_at"] >= asked
    await deps.database.execute("UPDATE quotes SET fresh_until = now()")
    await deps.exchange.fault("AAPL", BROKEN)
    assert staleness((await deps.ask("AAPL"))[0]) == (True, "upstream_error")


async def test_with_the_cache_server_away_a_fresh_row_is_not_asked_for_again(
    deps: QuotesSlice, redis_away: Redis
) -> None:
    deps.without_cache(redis_away)
    for _ in range(3):
        assert staleness((await deps.ask("AAPL"))[0]) == (False, None)
        assert await deps.ask("NOPE") == [UNKNOWN]
    assert await deps.calls() == 2


async def test_an_answer_that_no_one_could_hear_is_a_row_for_a_while(
    deps: QuotesSlice, redis_away: Redis
) -> None:
    old = "INSERT INTO query_answers VALUES (gen_random_uuid(), '{}', now() - interval '1 hour')"
    await deps.database.execute(old)
    deps.without_cache(redis_away)
    known, unknown, broken = (deps.command(s) for s in ("AAPL", "NOPE", "MSFT"))
    await deps.exchange.fault("MSFT", BROKEN)
    for command in (known, unknown, broken):
        await deps.take([command])
        await deps.parts.finish()
    pool = await deps.database.pool("qnt9_gateway")
    rows = await pool.fetch("SELECT id, outcome FROM command_outcomes")
    found = {row["id"]: outcome_of(row["outcome"]) for row in rows}
    assert found.keys() == {command.envelope.id for command in (known, unknown, broken)}
    assert staleness(found[known.envelope.id]) == (False, None)
    assert found[unknown.envelope.id] == UNKNOWN
    assert found[broken.envelope.id] == QUOTE_UNAVAILABLE


async def test_with_postgres_away_who_waits_is_answered(deps: QuotesSlice) -> None:
    await (await deps.database.pool(ROLE)).close()
    await deps.exchange.fault("MSFT", BROKEN)
    known, unknown, broken = [(await deps.ask(s))[0] for s in ("AAPL", "NOPE", "MSFT")]
    assert staleness(known) == (False, None)
    assert unknown == UNKNOWN
    assert broken == QUOTE_UNAVAILABLE
    assert deps.dead_letters.written == []


async def test_what_became_of_the_circuit_is_given_the_time_postgres_is_back(
    deps: QuotesSlice,
) -> None:
    await deps.exchange.fault("AAPL", {"kind": "rate_limited"})
    pool, transactions = deps.parts.pool, deps.parts.transactions
    closed = await deps.database.pool("qnt9_gateway")
    deps.parts.transactions = type(transactions)(closed, "quotes")
    await closed.close()
    await deps.ask("AAPL")
    deps.parts.transactions, deps.parts.pool = transactions, pool
    await deps.ask("AAPL")
    reported = {type(event) for event in await deps.events()}
    assert reported == {ProviderCircuitChanged, ProviderRateLimited, QuoteUnavailable}
