"""Quotes as their worker handles them, with an exchange that does as it is asked."""

import asyncio
from datetime import UTC, datetime, timedelta

from contracts.events import (
    QuoteNotFound,
    QuoteUpdated,
)
from contracts.outcomes import Succeeded
from tests.support.message_builders import a_record
from tests.support.outbox import written_events
from tests.support.waiting import until
from tests.support.workers.quote_builders import a_quote
from tests.support.workers.quote_outcomes import QUOTE_UNAVAILABLE, UNKNOWN
from tests.support.workers.quote_results import quote_in, staleness, until_asked
from tests.support.workers.quotes_slice import QuotesSlice
from workers.quotes.rules import Throttle


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


async def test_anyone_who_no_longer_waits_is_not_asked_for(deps: QuotesSlice) -> None:
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
    assert await slow == [QUOTE_UNAVAILABLE]


async def test_an_event_reports_a_change_and_not_of_every_look(deps: QuotesSlice) -> None:
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
