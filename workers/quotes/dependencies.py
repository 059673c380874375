"""What the slice works with, and the ways in which it tells what it knows."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from contracts.events import Event, ProviderCircuitChanged, ProviderRateLimited
from contracts.outcomes import Outcome
from contracts.quotes import CachedQuote
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier
from infra.messaging.transaction import Transactions
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.resilience.policies import Change, Limited
from infra.runtime.clock import CLOCK
from workers.quotes import store
from workers.quotes.batch_loader import LookUp, LookUps
from workers.quotes.cache import HistoryCache, QuoteCache
from workers.quotes.leases import Leases
from workers.quotes.provider_fallback import ProviderFallback
from workers.quotes.rules import UNKNOWN_FRESH, Asker, Throttle

log = structlog.get_logger(__name__)

A_MINUTE = timedelta(minutes=1)


@dataclass(kw_only=True)
class QuotesDeps:
    """The parts, and what is remembered. `changes` are not in the outbox yet."""

    transactions: Transactions
    pool: Pool
    outcome_notifier: OutcomeNotifier
    cache: QuoteCache
    history_cache: HistoryCache
    leases: Leases
    chain: ProviderFallback
    changes: deque[Change]
    look_ups: LookUps = field(init=False)
    histories: LookUps = field(init=False)
    searches: LookUps = field(init=False)
    reported: Throttle = field(default_factory=lambda: Throttle(A_MINUTE))
    without_price: Throttle = field(default_factory=lambda: Throttle(A_MINUTE))
    unknown: Throttle = field(default_factory=lambda: Throttle(UNKNOWN_FRESH))

    async def known(self, symbols: Sequence[str]) -> dict[str, CachedQuote]:
        """From the cache, else the rows, else what this process knows to be unknown."""
        known = await self.cache.get(symbols)
        if missing := [symbol for symbol in symbols if symbol not in known]:
            with suppress(*UNAVAILABLE):
                known |= await store.last_good(self.pool, missing)
        now = CLOCK.now()
        for symbol in missing:
            if not self.unknown.is_due(symbol, now):
                known[symbol] = CachedQuote(quote=None, fresh_until=now + UNKNOWN_FRESH)
        return known

    async def report(self, outcomes: Iterable[tuple[LookUp, Outcome]]) -> None:
        """Announced; what nobody could hear is kept where gateways look for it."""
        announcements = [
            Announcement(
                asker.envelope.reply_to, asker.envelope.id, outcome, asker.envelope.fingerprint
            )
            for look_up, outcome in outcomes
            for asker in self._close(look_up)
            if asker.envelope.reply_to
        ]
        if await self.outcome_notifier.announce(announcements):
            return
        try:
            await store.keep_answers(
                self.pool, [(each.command_id, each.outcome.to_json()) for each in announcements]
            )
        except UNAVAILABLE as error:
            log.warning("answers_lost", count=len(announcements), error=type(error).__name__)

    async def record(self, look_up: LookUp, event: Event) -> None:
        """Once a minute at most for each subject and kind, however often it is asked for."""
        kind, now = (look_up.subject, event.type), CLOCK.now()
        if self.reported.is_due(kind, now):
            async with self.transactions.begin() as tx:
                tx.emit(event, about=look_up.subject, caused_by=look_up.askers[0])
            self.reported.mark(kind, now)

    async def record_changes(self) -> None:
        """What became of the circuits. Kept for the next time while Postgres is away."""
        changes = list(self.changes)
        if not changes:
            return
        self.changes.clear()
        try:
            async with self.transactions.begin() as tx:
                for change in changes:
                    tx.emit(_event_of(change), about=change.provider)
        except BaseException:
            self.changes.extendleft(reversed(changes))
            raise

    async def finish(self) -> None:
        """Returns when nothing is under way."""
        await asyncio.gather(
            self.look_ups.finish(), self.histories.finish(), self.searches.finish()
        )

    def _close(self, look_up: LookUp) -> Sequence[Asker]:
        """All who asked; who comes from now on begins another."""
        self.look_ups.close(look_up)
        self.histories.close(look_up)
        self.searches.close(look_up)
        return look_up.askers


def _event_of(change: Change) -> Event:
    if isinstance(change, Limited):
        return ProviderRateLimited(provider=change.provider, until=change.until)
    return ProviderCircuitChanged(
        provider=change.provider, before=change.before, after=change.after, reason=change.reason
    )
