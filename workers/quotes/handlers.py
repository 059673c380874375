"""Look-ups: from the cache, else from the provider, else the last good quote, marked as such.

Whoever waits is answered before an event that only tells of it is written, and also when Postgres
is away; the error that says so then pauses the consumer as anywhere.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from contracts.commands import LookUpQuote
from contracts.events import (
    Event,
    ProviderCircuitChanged,
    ProviderRateLimited,
    QuoteNotFound,
    QuoteServedStale,
    QuoteUnavailable,
    QuoteUpdated,
)
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.quotes import CachedQuote, Quote, StaleReason
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.postgres.transaction import Transactions
from infra.received import Received
from infra.redis.wakeups import Announcement, Wakeups
from infra.resilience import Upstream
from infra.upstreams import Change, Limited
from workers.quotes import store
from workers.quotes.cache import QuoteCache
from workers.quotes.lookups import LookUp, LookUps
from workers.quotes.provider import TROUBLE, Found, NoPrice, NotFound, Provider, reason_of
from workers.quotes.rules import UNKNOWN_FRESH, Seldom, fresh_until, may_be_shown, wanted

SAVE_SECONDS = 1.0
"""How long an answer waits for its row; the row is written all the same."""

MARGIN_SECONDS = 0.3
"""What is left of a wait for telling that nothing came."""

A_MINUTE = timedelta(minutes=1)


@dataclass(kw_only=True)
class Quotes:
    """What the slice works with, and what it remembers. `changes` are not in the outbox yet."""

    transactions: Transactions
    pool: Pool
    wakeups: Wakeups
    cache: QuoteCache
    provider: Provider
    upstream: Upstream
    changes: deque[Change]
    told: Seldom = field(default_factory=lambda: Seldom(A_MINUTE))
    without_price: Seldom = field(default_factory=lambda: Seldom(A_MINUTE))

    def __post_init__(self) -> None:
        self.look_ups = LookUps(partial(look_up_quote, self))


async def look_up_quotes(slice_: Quotes, batch: Sequence[Received[LookUpQuote]]) -> None:
    """Each symbol once, side by side, whoever many ask."""
    await slice_.look_ups.take(wanted(batch, datetime.now(UTC)))


async def look_up_quote(slice_: Quotes, look_up: LookUp) -> None:
    """One symbol, for all who wait for it."""
    cached = await slice_.cache.get(look_up.symbol)
    if cached and cached.fresh_until > datetime.now(UTC):
        await _tell(slice_, look_up, _outcome_of(cached.quote))
        return
    try:
        await _ask(slice_, look_up, cached)
    finally:
        await _record_changes(slice_)


async def _ask(slice_: Quotes, look_up: LookUp, cached: CachedQuote | None) -> None:
    symbol = look_up.symbol
    if not slice_.without_price.is_due(symbol, datetime.now(UTC)):
        await _serve_last_good(slice_, look_up, cached, "upstream_error")
        return
    try:
        answer = await slice_.upstream.call(
            partial(slice_.provider.quote, symbol), within=look_up.seconds_left - MARGIN_SECONDS
        )
    except TROUBLE as trouble:
        await _serve_last_good(slice_, look_up, cached, reason_of(trouble))
        return
    match answer:
        case Found():
            await _serve(slice_, look_up, answer)
        case NotFound():
            await slice_.cache.put(symbol, None, datetime.now(UTC) + UNKNOWN_FRESH)
            await _tell(slice_, look_up, _outcome_of(None))
            source = slice_.provider.name
            await _record(slice_, look_up, QuoteNotFound(symbol=symbol, source=source))
        case NoPrice():
            slice_.without_price.mark(symbol, datetime.now(UTC))
            await _serve_last_good(slice_, look_up, cached, "upstream_error")


async def _serve(slice_: Quotes, look_up: LookUp, found: Found) -> None:
    """Row and event, cache, answer; without the row in time, the others all the same."""
    quote, now = found.quote, datetime.now(UTC)
    jitter = random.uniform(-1, 1)  # noqa: S311  # so that not everything goes stale at once
    saving = asyncio.ensure_future(_save(slice_, look_up, quote))
    await asyncio.wait({saving}, timeout=SAVE_SECONDS)
    await slice_.cache.put(look_up.symbol, quote, fresh_until(quote, found.hours, now, jitter))
    await _tell(slice_, look_up, _outcome_of(quote))
    await saving


async def _save(slice_: Quotes, look_up: LookUp, quote: Quote) -> None:
    async with slice_.transactions.begin() as tx:
        if await store.save(tx.conn, quote):
            event = QuoteUpdated(
                symbol=quote.symbol,
                price=quote.price,
                currency=quote.currency,
                as_of=quote.as_of,
                source=quote.source,
            )
            tx.emit(event, about=quote.symbol, caused_by=look_up.askers[0])


async def _serve_last_good(
    slice_: Quotes, look_up: LookUp, cached: CachedQuote | None, reason: StaleReason
) -> None:
    """Marked as stale; or the word that nobody can tell. Never a price that is too old."""
    symbol = look_up.symbol
    try:
        last = cached.quote if cached else None
        last = last or await store.last_good(slice_.pool, symbol)
    except UNAVAILABLE:
        await _tell(slice_, look_up, Rejected("quote-unavailable"))
        raise
    if last and may_be_shown(last, datetime.now(UTC)):
        stale = last.model_copy(update={"stale": True, "stale_reason": reason})
        await _tell(slice_, look_up, _outcome_of(stale))
        event: Event = QuoteServedStale(symbol=symbol, reason=reason, as_of=last.as_of)
    else:
        await _tell(slice_, look_up, Rejected("quote-unavailable"))
        event = QuoteUnavailable(symbol=symbol, reason=reason)
    await _record(slice_, look_up, event)


def _outcome_of(quote: Quote | None) -> Outcome:
    if quote is None:
        return Rejected("unknown-symbol")
    return Succeeded({"quote": quote.model_dump(mode="json")})


async def _tell(slice_: Quotes, look_up: LookUp, outcome: Outcome) -> None:
    await slice_.wakeups.announce(
        Announcement(
            asker.envelope.reply_to, asker.envelope.id, outcome, asker.envelope.fingerprint
        )
        for asker in slice_.look_ups.close(look_up)
        if asker.envelope.reply_to
    )


async def _record(slice_: Quotes, look_up: LookUp, event: Event) -> None:
    """Once a minute at most for each symbol and kind, however often it is asked for."""
    kind, now = (look_up.symbol, event.type), datetime.now(UTC)
    if slice_.told.is_due(kind, now):
        async with slice_.transactions.begin() as tx:
            tx.emit(event, about=look_up.symbol, caused_by=look_up.askers[0])
        slice_.told.mark(kind, now)


async def _record_changes(slice_: Quotes) -> None:
    """What became of the provider's circuit. Kept for the next time while Postgres is away."""
    changes = list(slice_.changes)
    if not changes:
        return
    slice_.changes.clear()
    try:
        async with slice_.transactions.begin() as tx:
            for change in changes:
                tx.emit(_event_of(change), about=change.provider)
    except BaseException:
        slice_.changes.extendleft(reversed(changes))
        raise


def _event_of(change: Change) -> Event:
    if isinstance(change, Limited):
        return ProviderRateLimited(provider=change.provider, until=change.until)
    return ProviderCircuitChanged(
        provider=change.provider, before=change.before, after=change.after, reason=change.reason
    )


HANDLES = {LookUpQuote: look_up_quotes}
