import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from contracts.events import (
    ProviderCircuitChanged,
    ProviderRateLimited,
    QuoteNotFound,
    QuoteServedStale,
    QuoteUnavailable,
    QuoteUpdated,
)
from contracts.outcomes import Rejected, Succeeded, outcome_of
from tests.support.message_builders import a_record
from tests.support.outbox import written_events
from tests.support.waiting import until
from tests.support.workers.quote_builders import a_quote
from tests.support.workers.quote_results import quote_in, staleness, until_asked
from tests.support.workers.quotes_slice import ROLE, QuotesSlice
from workers.quotes.rules import Throttle

UNKNOWN = Rejected("unknown-symbol")


NOBODY_CAN_TELL = Rejected("quote-unavailable")


BROKEN = {"kind": "status", "status": 500}


async def test_a_quote_is_a_row_an_event_a_cache_entry_and_an_answer(deps: QuotesSlice) -> None:
    command = deps.command("SAP.DE")
    await deps.take([command])
    await deps.parts.finish()
    (announced,) = deps.outcome_notifier.announced
    assert (announced.channel, announced.command_id) == ("a-gateway", command.envelope.id)
    quote = quote_in(announced.outcome)
    assert staleness(announced.outcome) == (False, None)
    (row,) = await deps.rows()
    assert row["quote"] == quote
    (written,) = await written_events(deps.database)
    assert isinstance(written.event, QuoteUpdated)
    assert (written.about, written.event.price) == ("SAP.DE", quote["price"])
    assert written.headers["ce_causationid"] == str(command.envelope.id)
    cached = await deps.cached("SAP.DE")
    assert cached
    assert cached.quote
    assert cached.quote.model_dump(mode="json") == quote
    assert cached.fresh_until > datetime.now(UTC)
    assert await deps.redis.ttl("qnt9:quote:SAP.DE") > 24 * 3600
    assert await deps.database.fetch("SELECT FROM inbox") == []


async def test_a_hundred_who_ask_for_one_cold_symbol_are_one_call(deps: QuotesSlice) -> None:
    assert len({str(outcome) for outcome in await deps.ask(*["AAPL"] * 100)}) == 1
    assert len(deps.outcome_notifier.announced) == 100
    assert await deps.calls() == 1
    assert len(await deps.events()) == 1


async def test_a_burst_over_several_batches_is_one_call(deps: QuotesSlice) -> None:
    for _ in range(5):
        await deps.ask(*["AAPL"] * 20)
    assert await deps.calls() == 1
    await deps.exchange.fault("MSFT", {"kind": "slow_headers", "seconds": 0.3})
    await asyncio.gather(*(deps.ask(*["MSFT"] * 20) for _ in range(5)))
    assert await deps.calls("MSFT") == 1
    assert len(deps.outcome_notifier.announced) == 200


async def test_forty_five_symbols_are_three_calls(deps: QuotesSlice) -> None:
    await deps.exchange.fault("*", {"kind": "slow_headers", "seconds": 0.1})
    symbols = [f"X{n:04}.DE" for n in range(1, 46)]
    assert all(isinstance(outcome, Succeeded) for outcome in await deps.ask(*symbols))
    log = await deps.exchange.log()
    assert log["counters"]["endpoints"] == {"spark": 3}
    assert log["most_in_flight"] == 3
    assert len(await deps.rows()) == len(await deps.events()) == 45


async def test_symbols_of_several_batches_are_asked_together(deps: QuotesSlice) -> None:
    symbols = [f"X{n:04}.DE" for n in range(1, 46)]
    for n in range(0, 45, 9):
        await deps.take([deps.command(symbol) for symbol in symbols[n : n + 9]])
    await deps.parts.finish()
    assert (await deps.exchange.log())["counters"]["endpoints"] == {"spark": 3}
    assert len(deps.outcome_notifier.announced) == 45


async def test_who_is_left_out_of_a_call_is_asked_for_alone(deps: QuotesSlice) -> None:
    outcomes = await deps.ask("AAPL", "NOPE", "MSFT", "NONE")
    assert [isinstance(outcome, Succeeded) for outcome in outcomes] == [True, False, True, False]
    assert outcomes[1] == outcomes[3] == UNKNOWN
    counters = (await deps.exchange.log())["counters"]
    assert counters["endpoints"] == {"spark": 1, "chart": 2}


async def test_at_most_four_calls_are_made_side_by_side(deps: QuotesSlice) -> None:
    await deps.exchange.fault("*", {"kind": "slow_headers", "seconds": 0.15})
    symbols = [f"X{n:04}.DE" for n in range(1, 121)]
    assert all(isinstance(outcome, Succeeded) for outcome in await deps.ask(*symbols))
    assert (await deps.exchange.log())["most_in_flight"] == 4


async def test_whoever_no_longer_waits_is_not_asked_for(deps: QuotesSlice) -> None:
    await deps.take([deps.command("AAPL", seconds=-1)])
    await deps.parts.finish()
    assert await deps.calls() == 0
    assert deps.outcome_notifier.announced == []
    await deps.take([deps.command("AAPL", seconds=-1), deps.command("AAPL")])
    await deps.parts.finish()
    assert await deps.calls() == 1


async def test_a_slow_symbol_holds_up_no_later_one(deps: QuotesSlice) -> None:
    await deps.exchange.fault("AAPL", {"kind": "slow_headers", "seconds": 5})
    slow = asyncio.create_task(deps.ask("AAPL", seconds=2))
    await asyncio.sleep(0)
    await until_asked(deps, "AAPL")
    command = deps.command("SAP.DE")
    await deps.take([command])
    await until(lambda: len(deps.outcome_notifier.announced) == 1)
    assert isinstance(deps.outcome_notifier.announced[0].outcome, Succeeded)
    assert await slow == [NOBODY_CAN_TELL]


async def test_an_event_tells_of_a_change_and_not_of_every_look(deps: QuotesSlice) -> None:
    await deps.exchange.clock("2026-03-02T12:00:00+01:00")
    for _ in range(3):
        await deps.ask("SAP.DE")
        await deps.make_stale("SAP.DE")
    assert await deps.calls() == 3
    assert len(await deps.events()) == 1
    await deps.exchange.clock("2026-03-02T12:10:00+01:00")
    await deps.ask("SAP.DE")
    assert len(await deps.events()) == 2


async def test_an_older_quote_never_replaces_a_newer_row(deps: QuotesSlice) -> None:
    newer = a_quote(price="2.00")
    await deps.have(newer)
    await deps.have(a_quote(price="1.00", fetched_at=newer.fetched_at - timedelta(seconds=1)))
    (row,) = await deps.rows()
    assert row["quote"]["price"] == "2.00"


async def test_an_unknown_symbol_is_remembered_a_while(deps: QuotesSlice) -> None:
    assert await deps.ask("NOPE", "NOPE") == [UNKNOWN, UNKNOWN]
    assert await deps.ask("NOPE") == [UNKNOWN]
    await deps.redis.flushall()
    assert await deps.ask("NOPE") == [UNKNOWN]
    assert await deps.calls() == 1
    await deps.redis.flushall()
    deps.parts.unknown = Throttle(timedelta(0))
    await deps.ask("NOPE")
    assert await deps.events() == [QuoteNotFound(symbol="NOPE", source="sandbox")]
    cached = await deps.cached("NOPE")
    assert cached
    assert cached.quote is None
    assert 890 < await deps.redis.ttl("qnt9:quote:NOPE") <= 900


async def test_unknown_symbols_leave_the_circuit_closed(deps: QuotesSlice) -> None:
    unknown = [f"NOPE{n}" for n in range(8)]
    assert await deps.ask(*unknown) == [UNKNOWN] * 8
    (outcome,) = await deps.ask("AAPL")
    assert staleness(outcome) == (False, None)
    assert {type(event) for event in await deps.events()} == {QuoteNotFound, QuoteUpdated}


async def test_one_429_and_nobody_is_asked_any_more(deps: QuotesSlice) -> None:
    await deps.ask("AAPL")
    await deps.make_stale("AAPL")
    await deps.exchange.fault("*", {"kind": "rate_limited", "times": 1})
    (first,) = await deps.ask("AAPL")
    second, nothing = await deps.ask("AAPL", "NOPE")
    assert staleness(first) == staleness(second) == (True, "rate_limited")
    assert nothing == NOBODY_CAN_TELL
    assert await deps.calls() == 2
    shown = await deps.cached("AAPL")
    assert shown
    assert shown.stale_reason == "rate_limited"
    assert await deps.cached("NOPE") is None
    told = (await deps.events())[1:]
    assert sorted(type(event).__name__ for event in told) == [
        "ProviderCircuitChanged",
        "ProviderRateLimited",
        "QuoteServedStale",
        "QuoteUnavailable",
    ]
    for event in told:
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
    _, *told = await deps.events()
    assert [type(event) for event in told] == [QuoteServedStale, ProviderCircuitChanged]
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
    shown = entry.shown()
    assert shown
    assert (shown.stale, shown.stale_reason) == (True, "upstream_error")


async def test_a_time_out_is_called_one(deps: QuotesSlice) -> None:
    await deps.have(a_quote())
    await deps.exchange.fault("*", {"kind": "slow_headers", "seconds": 3})
    assert staleness((await deps.ask("AAPL"))[0]) == (True, "timeout")
    await deps.make_stale("AAPL")
    assert staleness((await deps.ask("AAPL", seconds=0.3))[0]) == (True, "timeout")
    assert await deps.calls() == 1


async def test_without_a_good_quote_nobody_can_tell(deps: QuotesSlice) -> None:
    await deps.exchange.fault("AAPL", BROKEN)
    assert await deps.ask("AAPL") == [NOBODY_CAN_TELL]
    assert await deps.ask("AAPL") == [NOBODY_CAN_TELL]
    assert await deps.events() == [QuoteUnavailable(symbol="AAPL", reason="upstream_error")]
    assert await deps.cached("AAPL") is None


async def test_a_last_good_quote_that_is_too_old_is_not_shown(deps: QuotesSlice) -> None:
    await deps.have(a_quote(fetched_at=datetime.now(UTC) - timedelta(hours=97)))
    await deps.exchange.fault("AAPL", BROKEN)
    assert await deps.ask("AAPL") == [NOBODY_CAN_TELL]


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
    assert outcomes[1:] == [NOBODY_CAN_TELL] * 6
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


async def test_an_answer_that_nobody_could_hear_is_a_row_for_a_while(
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
    assert found[broken.envelope.id] == NOBODY_CAN_TELL


async def test_with_postgres_away_who_waits_is_answered(deps: QuotesSlice) -> None:
    await (await deps.database.pool(ROLE)).close()
    await deps.exchange.fault("MSFT", BROKEN)
    known, unknown, broken = [(await deps.ask(s))[0] for s in ("AAPL", "NOPE", "MSFT")]
    assert staleness(known) == (False, None)
    assert unknown == UNKNOWN
    assert broken == NOBODY_CAN_TELL
    assert deps.dead_letters.written == []


async def test_what_became_of_the_circuit_is_told_when_postgres_is_back(
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
    told = {type(event) for event in await deps.events()}
    assert told == {ProviderCircuitChanged, ProviderRateLimited, QuoteUnavailable}


async def test_invalid_symbol_is_rejected_and_asked_for_nowhere(deps: QuotesSlice) -> None:
    record = a_record(deps.command("AAPL").data)
    record.value = b'{"symbol": "no symbol!"}'
    await deps.work.take([record])
    assert deps.dead_letters.written == []
    assert await deps.calls() == 0


async def test_who_asks_without_a_way_back_is_served_for_the_next(deps: QuotesSlice) -> None:
    await deps.take([deps.command("AAPL", reply_to=None)])
    await deps.parts.finish()
    assert deps.outcome_notifier.announced == []
    assert len(await deps.rows()) == 1
