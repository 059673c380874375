"""Queries: from what is known, else from the providers, else the last good quote, marked as such.

Whoever waits is answered before an event that only reports it is written, and also when Postgres
is away: a query changes nothing that would have to be held back for it.
"""

import asyncio
import random
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime

import structlog
from prometheus_client import Counter

from contracts.commands import LookUpHistory, LookUpQuote, Search
from contracts.events import (
    Event,
    QuoteHeldBack,
    QuoteNotFound,
    QuoteServedStale,
    QuoteUnavailable,
    QuoteUpdated,
)
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.quotes import CachedQuote, Quote, StaleReason, marked, may_be_displayed
from infra.messaging.dispatch import BulkHandlers
from infra.runtime.clock import CLOCK
from workers.quotes import store
from workers.quotes.batch_loader import LookUp
from workers.quotes.cache import until_fresh
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.provider import Found, NoPrice, NotFound
from workers.quotes.provider_fallback import Failed, Verdict
from workers.quotes.rules import (
    NO_PRICE_HOLD,
    UNKNOWN_FRESH,
    Asker,
    fresh_until,
    held_until,
    is_explained,
    price_jump,
    wanted,
)

log = structlog.get_logger(__name__)

HELD_BACK = Counter("qnt9_quotes_held_back_total", "Prices that leapt without a split", ["source"])

SAVE_SECONDS = 1.0
"""How long an answer waits for its row; the row is written all the same."""

MARGIN_SECONDS = 0.3
"""What is left of a wait for telling that nothing came."""

FOLLOW_SECONDS = 0.1

QuoteEntries = dict[str, CachedQuote]
Priced = tuple[LookUp, Found]


async def look_up_quotes(deps: QuotesDeps, batch: Sequence[Asker]) -> None:
    """Look up each symbol once, whoever many ask for it. Returns before the answers are there."""
    await deps.look_ups.take(wanted(batch, CLOCK.now()))


async def look_up_price_histories(deps: QuotesDeps, batch: Sequence[Asker]) -> None:
    """Look up each history once, whoever many ask for it. Returns before the answers are there."""
    await deps.histories.take(wanted(batch, CLOCK.now()))


async def search(deps: QuotesDeps, batch: Sequence[Asker]) -> None:
    """Search for each text once, whoever many ask for it. Returns before the answers are there."""
    await deps.searches.take(wanted(batch, CLOCK.now()))


async def look_up(deps: QuotesDeps, look_ups: Sequence[LookUp]) -> None:
    """What is asked for together, for all who wait for any of it."""
    known = await deps.known([each.subject for each in look_ups])
    now = CLOCK.now()
    fresh = {s: entry for s, entry in known.items() if until_fresh(entry, now)}
    await deps.report(
        (each, _outcome_of(fresh[each.subject].displayed()))
        for each in look_ups
        if each.subject in fresh
    )
    cold = [each for each in look_ups if each.subject not in fresh]
    ours = await deps.leases.take(each.subject for each in cold)
    mine = [each for each in cold if each.subject in ours]
    most = deps.chain.most
    groups = [mine[n : n + most] for n in range(0, len(mine), most)]
    others = [each for each in cold if each.subject not in ours]
    await _all(
        [
            *(_ask(deps, group, known) for group in groups),
            *(_follow(deps, each, known) for each in others),
        ]
    )


async def _all(tasks: Iterable[Awaitable[None]]) -> None:
    """To the end, each of them, then raise what any of them raised."""
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    if errors := [each for each in ended if isinstance(each, Exception)]:
        raise ExceptionGroup("look-ups failed", errors)


async def _follow(deps: QuotesDeps, look_up: LookUp, known: QuoteEntries) -> None:
    """Another worker asks just now: wait for what it finds, or for its end."""
    symbol = look_up.subject
    while look_up.seconds_left > MARGIN_SECONDS:
        await asyncio.sleep(FOLLOW_SECONDS)
        entry = (await deps.cache.get([symbol])).get(symbol)
        if entry and until_fresh(entry, CLOCK.now()):
            await deps.report([(look_up, _outcome_of(entry.displayed()))])
            return
        if await deps.leases.take([symbol]):
            await _ask(deps, [look_up], known)
            return
    await _serve_last_good(deps, look_up, known, "timeout", CLOCK.now())


async def _ask(deps: QuotesDeps, look_ups: Sequence[LookUp], known: QuoteEntries) -> None:
    now = CLOCK.now()
    due = [each for each in look_ups if deps.without_price.is_due(each.subject, now)]
    within = max(each.seconds_left for each in look_ups) - MARGIN_SECONDS
    try:
        verdicts: dict[str, Verdict] = dict.fromkeys(
            (each.subject for each in look_ups), NoPrice("asked a moment ago")
        )
        if due:
            verdicts |= await deps.chain.quotes([each.subject for each in due], within=within)
        priced, remaining = await _evaluated(deps, look_ups, verdicts, known)
        await _all([_serve(deps, priced), *remaining])
    finally:
        await deps.leases.release(each.subject for each in look_ups)
        await deps.record_changes()


async def _evaluated(
    deps: QuotesDeps, look_ups: Sequence[LookUp], verdicts: dict[str, Verdict], known: QuoteEntries
) -> tuple[list[Priced], list[Awaitable[None]]]:
    """Which have a price that can be believed, and what is to be done for each other one."""
    priced: list[Priced] = []
    remaining: list[Awaitable[None]] = []
    for each in look_ups:
        last = known[each.subject].quote if each.subject in known else None
        now = CLOCK.now()
        match verdicts[each.subject]:
            case Found() as found if not await _leaps(deps, last, found):
                priced.append((each, found))
            case Found(quote=quote):
                deps.without_price.mark(each.subject, now)
                remaining.append(_hold_back(deps, each, quote, known))
            case NotFound():
                remaining.append(_say_unknown(deps, each))
            case NoPrice():
                deps.without_price.mark(each.subject, now)
                until = now + NO_PRICE_HOLD
                remaining.append(_serve_last_good(deps, each, known, "upstream_error", until))
            case Failed(reason=reason):
                until = held_until(reason, deps.chain.open_until, now)
                remaining.append(_serve_last_good(deps, each, known, reason, until))
    return priced, remaining


async def _leaps(deps: QuotesDeps, last: Quote | None, found: Found) -> bool:
    """Whether the price is one to hold back: pence taken for pounds, most likely."""
    times = price_jump(last, found.quote) if last else None
    if times is None:
        return False
    symbol, source = found.quote.symbol, found.quote.source
    splits = await deps.chain.splits(symbol, source, within=2.0)
    return not is_explained(times, splits)


async def _serve(deps: QuotesDeps, priced: Sequence[Priced]) -> None:
    """Rows and events, cache, answers; without the rows in time, the others all the same."""
    if not priced:
        return
    now = CLOCK.now()
    entries: QuoteEntries = {}
    for each, found in priced:
        jitter = random.uniform(-1, 1)  # noqa: S311  # so that not everything goes stale at once
        until = fresh_until(found.quote, found.hours, now, jitter)
        entries[each.subject] = CachedQuote(quote=found.quote, fresh_until=until)
    saving = asyncio.ensure_future(_save(deps, priced, entries))
    await asyncio.wait({saving}, timeout=SAVE_SECONDS)
    await deps.cache.put(entries)
    await deps.report((each, _outcome_of(found.quote)) for each, found in priced)
    await saving


async def _save(deps: QuotesDeps, priced: Sequence[Priced], entries: QuoteEntries) -> None:
    """In one order everywhere, so that two workers cannot wait for each other."""
    async with deps.transactions.begin() as tx:
        for each, found in sorted(priced, key=lambda pair: pair[0].subject):
            quote = found.quote
            if await store.save(tx.conn, quote, entries[quote.symbol].fresh_until):
                event = QuoteUpdated(
                    symbol=quote.symbol,
                    price=quote.price,
                    currency=quote.currency,
                    as_of=quote.as_of,
                    source=quote.source,
                )
                tx.emit(event, about=quote.symbol, caused_by=each.askers[0])


async def _say_unknown(deps: QuotesDeps, look_up: LookUp) -> None:
    symbol, now = look_up.subject, CLOCK.now()
    deps.unknown.mark(symbol, now)
    unknown = CachedQuote(quote=None, fresh_until=now + UNKNOWN_FRESH)
    await deps.cache.put({symbol: unknown})
    await deps.report([(look_up, _outcome_of(None))])
    await deps.record(look_up, QuoteNotFound(symbol=symbol, source=deps.chain.first))


async def _hold_back(deps: QuotesDeps, look_up: LookUp, quote: Quote, known: QuoteEntries) -> None:
    """The last good quote is shown in its place; an operator hears of it."""
    last = known[look_up.subject].quote
    assert last
    HELD_BACK.labels(quote.source).inc()
    event = QuoteHeldBack(
        symbol=quote.symbol,
        price=quote.price,
        currency=quote.currency,
        quoted_unit=quote.quoted_unit,
        last_price=last.price,
        last_currency=last.currency,
        last_quoted_unit=last.quoted_unit,
        source=quote.source,
    )
    log.warning("quote_held_back", **event.model_dump(exclude={"client"}))
    until = CLOCK.now() + NO_PRICE_HOLD
    await _serve_last_good(deps, look_up, known, "upstream_error", until)
    await deps.record(look_up, event)


async def _serve_last_good(
    deps: QuotesDeps, look_up: LookUp, known: QuoteEntries, reason: StaleReason, until: datetime
) -> None:
    """Marked as stale, and so in the cache until `until`; or the word that nobody can tell.

    Never a price that is too old.
    """
    symbol = look_up.subject
    last = known[symbol].quote if symbol in known else None
    if last and may_be_displayed(last, CLOCK.now()):
        entry = CachedQuote(quote=last, fresh_until=until, stale_reason=reason)
        await deps.cache.put({symbol: entry})
        await deps.report([(look_up, _outcome_of(marked(last, reason)))])
        event: Event = QuoteServedStale(symbol=symbol, reason=reason, as_of=last.as_of)
    else:
        await deps.report([(look_up, Rejected("quote-unavailable"))])
        event = QuoteUnavailable(symbol=symbol, reason=reason)
    await deps.record(look_up, event)


def _outcome_of(quote: Quote | None) -> Outcome:
    if quote is None:
        return Rejected("unknown-symbol")
    return Succeeded({"quote": quote.model_dump(mode="json")})


HANDLES: BulkHandlers[QuotesDeps] = {
    LookUpQuote: look_up_quotes,
    LookUpHistory: look_up_price_histories,
    Search: search,
}
