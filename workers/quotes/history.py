"""Price histories: from the cache, else from the providers, else the last one, marked as stale.

Sparklines of one range that are asked for together are one call. Nothing is a row or an event: a
history is made of prices that its provider can tell again.
"""

import asyncio
import random
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import structlog

from contracts.commands import LookUpHistory
from contracts.history import CachedHistory, HistoryKey
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.quotes import CachedQuote, StaleReason, may_be_displayed
from infra.runtime.clock import CLOCK
from workers.quotes.batch_loader import LookUp
from workers.quotes.cache import until_fresh
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.provider import FoundHistory, NotFound
from workers.quotes.provider_fallback import Failed, HistoryVerdict
from workers.quotes.rules import (
    NO_PRICE_HOLD,
    UNKNOWN_FRESH,
    held_until,
    history_fresh_until,
    history_key,
    price_contradicts,
)

log = structlog.get_logger(__name__)

MARGIN_SECONDS = 0.3
"""What is left of a wait for telling that nothing came."""
FOLLOW_SECONDS = 0.1

Known = dict[HistoryKey, CachedHistory]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A look-up under way, and which history it is for."""

    look_up: LookUp
    key: HistoryKey


async def look_up_histories(deps: QuotesDeps, look_ups: Sequence[LookUp]) -> None:
    """What is asked for together, for all who wait for any of it."""
    wanted = [Wanted(each, _key_of(each)) for each in look_ups]
    known = await deps.history_cache.get([each.key for each in wanted])
    quotes = await deps.known(list({each.key.symbol for each in wanted}))
    now = CLOCK.now()
    cold: list[Wanted] = []
    reported: list[tuple[LookUp, Outcome]] = []
    for each in wanted:
        entry, quote = known.get(each.key), quotes.get(each.key.symbol)
        if entry and until_fresh(entry, now):
            reported.append((each.look_up, _outcome_of(entry)))
        elif quote and quote.quote is None and until_fresh(quote, now):
            reported.append((each.look_up, Rejected("unknown-symbol")))
        else:
            cold.append(each)
    await deps.report(reported)
    ours = await deps.leases.take(each.key.text for each in cold)
    mine = [each for each in cold if each.key.text in ours]
    others = [each for each in cold if each.key.text not in ours]
    await _all(
        [
            *(_ask(deps, group, known, quotes) for group in _groups(mine)),
            *(_follow(deps, each, known, quotes) for each in others),
        ]
    )


def _key_of(look_up: LookUp) -> HistoryKey:
    data = look_up.askers[0].data
    assert isinstance(data, LookUpHistory)
    return history_key(data)


def _groups(wanted: Iterable[Wanted]) -> list[list[Wanted]]:
    """What one question to the providers is about: one history, or the sparklines of a range."""

    def kind(each: Wanted) -> tuple[str, str, str]:
        return each.key.detail, each.key.range, each.key.symbol if each.key.detail == "full" else ""

    return [list(group) for _, group in groupby(sorted(wanted, key=kind), key=kind)]


async def _all(tasks: Iterable[Awaitable[None]]) -> None:
    """To the end, each of them, then raise what any of them raised."""
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    if errors := [each for each in ended if isinstance(each, Exception)]:
        raise ExceptionGroup("look-ups failed", errors)


async def _follow(
    deps: QuotesDeps, wanted: Wanted, known: Known, quotes: dict[str, CachedQuote]
) -> None:
    """Another worker asks just now: wait for what it finds, or for its end."""
    key = wanted.key
    while wanted.look_up.seconds_left > MARGIN_SECONDS:
        await asyncio.sleep(FOLLOW_SECONDS)
        entry = (await deps.history_cache.get([key])).get(key)
        if entry and until_fresh(entry, CLOCK.now()):
            await deps.report([(wanted.look_up, _outcome_of(entry))])
            return
        if await deps.leases.take([key.text]):
            await _ask(deps, [wanted], known, quotes)
            return
    await _serve_last(deps, wanted, known, "timeout", CLOCK.now())


async def _ask(
    deps: QuotesDeps, group: Sequence[Wanted], known: Known, quotes: dict[str, CachedQuote]
) -> None:
    now = CLOCK.now()
    due = [each.key for each in group if deps.without_price.is_due(each.key, now)]
    within = max(each.look_up.seconds_left for each in group) - MARGIN_SECONDS
    try:
        verdicts = await deps.chain.histories(due, within=within) if due else {}
        await _all(
            _serve(deps, each, verdicts.get(each.key.symbol), known, quotes) for each in group
        )
    finally:
        await deps.leases.release(each.key.text for each in group)
        await deps.record_changes()


async def _serve(
    deps: QuotesDeps,
    wanted: Wanted,
    verdict: HistoryVerdict | None,
    known: Known,
    quotes: dict[str, CachedQuote],
) -> None:
    """What a provider says of one history; None for one that had no price a moment ago."""
    key, now = wanted.key, CLOCK.now()
    quote = quotes[key.symbol].quote if key.symbol in quotes else None
    match verdict:
        case FoundHistory(history=history, hours=hours):
            if quote and price_contradicts(quote, history):
                log.warning("history_held_back", symbol=key.symbol, source=history.source)
                deps.without_price.mark(key, now)
                until = now + NO_PRICE_HOLD
                await _serve_last(deps, wanted, known, "upstream_error", until)
                return
            jitter = random.uniform(-1, 1)  # noqa: S311  # so that not everything goes stale at once
            until = history_fresh_until(history, hours, now, jitter)
            entry = CachedHistory(history=history, fresh_until=until)
            await deps.history_cache.put({key: entry})
            await deps.report([(wanted.look_up, _outcome_of(entry))])
        case NotFound():
            deps.unknown.mark(key.symbol, now)
            unknown = CachedQuote(quote=None, fresh_until=now + UNKNOWN_FRESH)
            await deps.cache.put({key.symbol: unknown})
            await deps.report([(wanted.look_up, Rejected("unknown-symbol"))])
        case Failed(reason=reason):
            until = held_until(reason, deps.chain.open_until, now)
            await _serve_last(deps, wanted, known, reason, until)
        case _:
            if verdict is not None:
                deps.without_price.mark(key, now)
            until = now + NO_PRICE_HOLD
            await _serve_last(deps, wanted, known, "upstream_error", until)


async def _serve_last(
    deps: QuotesDeps, wanted: Wanted, known: Known, reason: StaleReason, until: datetime
) -> None:
    """The last history, marked, and so in the cache until `until`; or that there is none."""
    last = known.get(wanted.key)
    if last is None or not may_be_displayed(last.history, CLOCK.now()):
        await deps.report([(wanted.look_up, Rejected("history-unavailable"))])
        return
    entry = CachedHistory(history=last.history, fresh_until=until, stale_reason=reason)
    await deps.history_cache.put({wanted.key: entry})
    await deps.report([(wanted.look_up, _outcome_of(entry))])


def _outcome_of(entry: CachedHistory) -> Outcome:
    return Succeeded({"history": entry.displayed.as_json})
