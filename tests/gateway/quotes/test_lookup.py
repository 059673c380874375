"""Which quotes are answered from the cache, and which by a command."""

import asyncio

import pytest

from contracts.outcomes import Rejected
from contracts.quotes import CachedQuote
from gateway.problems import ProblemError
from gateway.quotes import lookup as module
from gateway.quotes.lookup import Quotes
from gateway.quotes.quote_cache import QuoteCache
from tests.support.gateway.quote_deps import CONTEXT, Shelf, Worker, ago, ahead, within
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.workers.quote_builders import a_quote

GOOD = a_quote(price="1.00")


async def displayed(quotes: Quotes, symbol: str = "AAPL") -> tuple[str, str | None]:
    quote = await quotes.quote(CONTEXT, symbol)
    assert quote.stale is (quote.stale_reason is not None)
    return quote.price, quote.stale_reason


async def problem(quotes: Quotes, symbol: str = "AAPL") -> str:
    with pytest.raises(ProblemError) as error:
        await quotes.quote(CONTEXT, symbol)
    return error.value.code


async def test_what_is_fresh_is_shown_and_no_one_asked(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ahead(seconds=60)))
    await shelf.cache(CachedQuote(quote=None, fresh_until=ahead(seconds=60)), "NOPE")
    assert await displayed(quotes) == ("1.00", None)
    assert await problem(quotes, "NOPE") == "unknown-symbol"
    assert worker.asked == []


async def test_between_soft_and_hard_time_it_is_shown_at_once_and_renewed_once(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ago(minutes=4)))
    with within(1):
        assert {await displayed(quotes) for _ in range(20)} == {("1.00", None)}
    await until(lambda: worker.asked == ["AAPL"])


async def test_past_its_hard_time_a_newer_one_is_waited_for(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ago(minutes=6)))
    worker.says(a_quote(price="2.00"))
    assert await displayed(quotes) == ("2.00", None)


async def test_but_not_long_where_there_is_something_to_show(
    quotes: Quotes, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENT_SECONDS", 0.05)
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ago(minutes=6)))
    with within(1):
        assert await displayed(quotes) == ("1.00", "timeout")


async def test_while_the_circuit_is_open_the_mark_and_the_time_are_shown_at_once(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    entry = CachedQuote(quote=GOOD, fresh_until=ago(seconds=1), stale_reason="circuit_open")
    await shelf.cache(entry)
    with within(0.5):
        quote = await quotes.quote(CONTEXT, "AAPL")
    assert (quote.stale, quote.stale_reason, quote.as_of) == (True, "circuit_open", GOOD.as_of)


async def test_a_quote_that_is_too_old_is_never_shown(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    old = GOOD.model_copy(update={"fetched_at": ago(hours=97)})
    await shelf.cache(CachedQuote(quote=old, fresh_until=ago(hours=96)))
    worker.answers["AAPL"] = Rejected("quote-unavailable")
    assert await problem(quotes) == "quote-unavailable"
    assert await quotes.many(CONTEXT, ["AAPL"]) == {}


async def test_a_hundred_who_ask_for_a_cold_symbol_are_one_question(
    quotes: Quotes, worker: Worker
) -> None:
    worker.says(GOOD)
    answers = await asyncio.gather(*(quotes.quote(CONTEXT, "AAPL") for _ in range(100)))
    assert answers == [GOOD] * 100
    assert worker.asked == ["AAPL"]


async def test_several_symbols_each_have_an_outcome(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ahead(seconds=60)))
    worker.says(a_quote("MSFT"))
    worker.knows_not("NOPE")
    worker.answers["LATE"] = Rejected("quote-unavailable")
    found = await quotes.quotes(CONTEXT, ["AAPL", "MSFT", "NOPE", "LATE"])
    codes = [each.code if isinstance(each, ProblemError) else each.price for each in found.values()]
    assert codes == ["1.00", "101.25", "unknown-symbol", "quote-unavailable"]
    assert sorted(worker.asked) == ["LATE", "MSFT", "NOPE"]


async def test_a_row_is_as_good_as_the_cache(quotes: Quotes, shelf: Shelf, worker: Worker) -> None:
    await shelf.row(GOOD, ahead(seconds=30))
    await shelf.row(a_quote("MSFT", fetched_at=ago(seconds=30)), None)
    await shelf.row(a_quote("SAP.DE", fetched_at=ago(minutes=2)), None)
    assert await displayed(quotes) == ("1.00", None)
    assert await displayed(quotes, "MSFT") == ("101.25", None)
    assert worker.asked == []
    assert await displayed(quotes, "SAP.DE") == ("101.25", None)
    await until(lambda: worker.asked == ["SAP.DE"])


async def test_without_the_cache_server_what_was_reported_is_remembered(
    quotes_without_cache: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.row(GOOD, ago(minutes=10))
    worker.says(GOOD.model_copy(update={"stale": True, "stale_reason": "circuit_open"}))
    worker.knows_not("NOPE")
    for _ in range(20):
        assert await displayed(quotes_without_cache) == ("1.00", "circuit_open")
        assert await problem(quotes_without_cache, "NOPE") == "unknown-symbol"
    assert sorted(worker.asked) == ["AAPL", "NOPE"]


async def test_without_the_cache_server_a_newer_row_counts(
    quotes_without_cache: Quotes, shelf: Shelf, worker: Worker
) -> None:
    worker.says(GOOD.model_copy(update={"stale": True, "stale_reason": "circuit_open"}))
    assert await displayed(quotes_without_cache) == ("1.00", "circuit_open")
    quote_cache: QuoteCache = quotes_without_cache._cache
    quote_cache.remember("AAPL", CachedQuote(quote=GOOD, fresh_until=ago(seconds=1)))
    await shelf.row(a_quote(price="3.00"), ahead(seconds=60))
    assert await displayed(quotes_without_cache) == ("3.00", None)


async def test_a_cache_server_that_hangs_is_waited_for_once_a_second(
    shelf: Shelf, database: Database, worker: Worker, hanging: QuoteCache
) -> None:
    quotes = Quotes(hanging, worker)
    await shelf.row(GOOD, ahead(seconds=60))
    with within(2.5):
        for _ in range(200):
            assert await displayed(quotes) == ("1.00", None)


async def test_with_everything_away_there_is_no_quote_and_no_other_error(
    quotes_without_cache: Quotes, database: Database, worker: Worker
) -> None:
    await (await database.pool("qnt9_gateway")).close()
    worker.errors.append(ProblemError("broker-unavailable"))
    assert await problem(quotes_without_cache) == "quote-unavailable"
    assert await quotes_without_cache.many(CONTEXT, ["AAPL"]) == {}


async def test_a_watchlist_shows_what_is_known_and_renews_the_rest(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ahead(seconds=60)))
    await shelf.cache(CachedQuote(quote=a_quote("MSFT"), fresh_until=ago(minutes=1)), "MSFT")
    await shelf.cache(CachedQuote(quote=a_quote("SAP.DE"), fresh_until=ago(hours=1)), "SAP.DE")
    many = await quotes.many(CONTEXT, ["AAPL", "MSFT", "SAP.DE", "COLD"])
    reasons = {symbol: quote["stale_reason"] for symbol, quote in many.items()}
    assert reasons == {"AAPL": None, "MSFT": None, "SAP.DE": "timeout"}
    await until(lambda: sorted(worker.asked) == ["COLD", "MSFT", "SAP.DE"])


async def test_of_a_very_long_watchlist_so_many_are_renewed_at_once(
    quotes: Quotes, worker: Worker
) -> None:
    await quotes.many(CONTEXT, [f"X{n:04}.DE" for n in range(1_000)])
    await until(lambda: len(worker.asked) == 100)


async def test_a_symbol_exists_unless_a_provider_says_that_it_does_not(
    quotes: Quotes, shelf: Shelf, worker: Worker
) -> None:
    await shelf.cache(CachedQuote(quote=GOOD, fresh_until=ago(hours=1)))
    worker.knows_not("NOPE")
    worker.says(a_quote("MSFT"))
    assert await quotes.exists(CONTEXT, "AAPL")
    assert not await quotes.exists(CONTEXT, "NOPE")
    assert await quotes.exists(CONTEXT, "MSFT")
    assert await quotes.exists(CONTEXT, "MSFT")
    assert worker.asked == ["NOPE", "MSFT"]


async def test_when_no_one_knows_a_symbol_exists_and_no_one_is_asked_for_a_while(
    quotes: Quotes, worker: Worker
) -> None:
    worker.answers["LATE"] = Rejected("quote-unavailable")
    assert await quotes.exists(CONTEXT, "LATE")
    assert await quotes.exists(CONTEXT, "OTHER")
    assert worker.asked == ["LATE"]


async def test_without_the_broker_a_change_cannot_be_made(quotes: Quotes, worker: Worker) -> None:
    worker.errors.append(ProblemError("indeterminate"))
    with pytest.raises(ProblemError) as error:
        await quotes.exists(CONTEXT, "AAPL")
    assert error.value.code == "broker-unavailable"
