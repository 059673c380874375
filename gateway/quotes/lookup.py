"""Quote look-ups: a known quote that is not too old at once, another by a command.

Fresh until its soft time; up to the hard time shown at once, too, while a newer one is asked for
(ADR 13). Everything waits a bounded time, whatever is away.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from contracts.commands import LookUpQuote
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.quotes import AT_ONCE, CachedQuote, Quote, marked, may_be_displayed
from gateway.commands.publisher import CommandPublisher, Intent
from gateway.context import RequestContext
from gateway.problems import ProblemError
from gateway.quotes.quote_cache import QuoteCache
from gateway.quotes.single_flight import SingleFlight
from infra.runtime.clock import CLOCK

LOOK_UP_SECONDS = 8.0
PATIENT_SECONDS = 2.0
"""How long a newer quote is waited for where an older one could be shown."""
KNOWN_SECONDS = 2.0
UNANSWERED_SECONDS = 5.0
UNKNOWN_HOLD = timedelta(seconds=60)
STALE_HOLD = timedelta(seconds=5)
RENEWED_AT_ONCE = 100
REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class _Unknown:
    """No provider has this symbol."""


@dataclass(frozen=True, slots=True)
class _NegativeResult:
    """Nobody could tell; or, with a problem, be asked."""

    problem: ProblemError | None = None


_Answer = Quote | _Unknown | _NegativeResult


class Quotes:
    """Reads what is known; asks the quotes worker for what is not fresh, once for all."""

    def __init__(self, cache: QuoteCache, commands: CommandPublisher) -> None:
        self._cache = cache
        self._commands = commands
        self._single_flight: SingleFlight[_Answer] = SingleFlight(
            is_negative=lambda answer: isinstance(answer, _NegativeResult)
        )
        self._exist: dict[str, None] = {}
        self._unanswered_until = 0.0

    async def quote(self, context: RequestContext, symbol: str) -> Quote:
        """The best there is within the wait. Raises `ProblemError`."""
        match (await self.quotes(context, [symbol]))[symbol]:
            case ProblemError() as error:
                raise error
            case quote:
                return quote

    async def quotes(
        self, context: RequestContext, symbols: Sequence[str]
    ) -> dict[str, Quote | ProblemError]:
        """The same of several, each for itself."""
        cached = await self._cache.quotes(symbols)
        displayed: dict[str, Quote | ProblemError] = {}
        now = CLOCK.now()
        for symbol in symbols:
            entry = cached.get(symbol)
            if entry and entry.fresh_until > now:
                displayed[symbol] = self._found(symbol, entry.displayed())
            elif entry and (quote := _at_once(entry, now)):
                self._begin(context, symbol)
                displayed[symbol] = quote
        missing = [symbol for symbol in symbols if symbol not in displayed]
        answers = await asyncio.gather(*(self._wait(context, s, cached.get(s)) for s in missing))
        return displayed | dict(zip(missing, answers, strict=True))

    async def many(
        self, context: RequestContext, symbols: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """What is known of these, without waiting; what is not fresh is renewed behind it."""
        cached = await self._cache.quotes(symbols)
        now = CLOCK.now()
        fresh = {s for s, entry in cached.items() if entry.fresh_until > now}
        self._renew(context, [symbol for symbol in symbols if symbol not in fresh])
        displayed: dict[str, dict[str, Any]] = {}
        for symbol, entry in cached.items():
            quote = (
                entry.displayed() if symbol in fresh else _at_once(entry, now) or _last(entry, now)
            )
            if quote:
                displayed[symbol] = quote.as_json
        return displayed

    async def exists(self, context: RequestContext, symbol: str) -> bool:
        """False only for a symbol that a provider says it does not have."""
        if symbol in self._exist:
            return True
        entry = (await self._cache.quotes([symbol])).get(symbol)
        if entry and entry.quote:
            return self._remember(symbol)
        if entry and entry.fresh_until > CLOCK.now():
            return False
        return await self._provider_has(context, symbol)

    async def _provider_has(self, context: RequestContext, symbol: str) -> bool:
        """True also when nobody can tell; then nobody is asked again for a while.

        Raises `ProblemError` without the broker: the change could not be published either.
        """
        loop = asyncio.get_running_loop()
        if self._unanswered_until > loop.time():
            return True
        match await self._answer(context, symbol, KNOWN_SECONDS):
            case _Unknown():
                return False
            case Quote():
                return True
            case _NegativeResult(problem=ProblemError() as problem):
                raise ProblemError("broker-unavailable") from problem
        self._unanswered_until = loop.time() + UNANSWERED_SECONDS
        return True

    def _renew(self, context: RequestContext, symbols: Iterable[str]) -> None:
        """Asked for, and nobody waits; of very many the rest at the next look."""
        for symbol, _ in zip(symbols, range(RENEWED_AT_ONCE), strict=False):
            self._begin(context, symbol)

    async def _wait(
        self, context: RequestContext, symbol: str, entry: CachedQuote | None
    ) -> Quote | ProblemError:
        last = _last(entry, CLOCK.now()) if entry else None
        seconds = PATIENT_SECONDS if last else LOOK_UP_SECONDS
        match await self._answer(context, symbol, seconds):
            case Quote() as quote:
                return quote
            case _Unknown():
                return ProblemError("unknown-symbol")
        return last or ProblemError("quote-unavailable")

    def _begin(self, context: RequestContext, symbol: str) -> None:
        """Ask for a newer quote, for which nobody waits."""
        self._single_flight.begin(symbol, partial(self._look_up, context, symbol))

    async def _answer(self, context: RequestContext, symbol: str, seconds: float) -> _Answer | None:
        """What the worker says, or None when that takes longer."""
        ask = partial(self._look_up, context, symbol)
        return await self._single_flight.answer(symbol, ask, seconds)

    async def _look_up(self, context: RequestContext, symbol: str) -> _Answer:
        intent = Intent(uuid7(), CLOCK.now(), None)
        command = LookUpQuote(symbol=symbol)
        try:
            command_result = await self._commands.request(
                context, intent, command, key=symbol, seconds=LOOK_UP_SECONDS
            )
        except ProblemError as error:
            return _NegativeResult(error)
        now = CLOCK.now()
        match command_result.outcome if command_result else None:
            case Succeeded(result={"quote": found}):
                quote = Quote.model_validate(found)
                self._cache.remember(symbol, _marked_entry(quote, now) if quote.stale else None)
                self._remember(symbol)
                return quote
            case Rejected(code="unknown-symbol"):
                unknown = CachedQuote(quote=None, fresh_until=now + UNKNOWN_HOLD)
                self._cache.remember(symbol, unknown)
                return _Unknown()
        return _NegativeResult()

    def _found(self, symbol: str, quote: Quote | None) -> Quote | ProblemError:
        if quote is None:
            return ProblemError("unknown-symbol")
        self._remember(symbol)
        return quote

    def _remember(self, symbol: str) -> bool:
        self._exist[symbol] = None
        if len(self._exist) > REMEMBERED:
            del self._exist[next(iter(self._exist))]
        return True


def _marked_entry(quote: Quote, now: datetime) -> CachedQuote:
    reason = quote.stale_reason
    return CachedQuote(quote=quote, fresh_until=now + STALE_HOLD, stale_reason=reason)


def _at_once(entry: CachedQuote, now: datetime) -> Quote | None:
    """What may be shown without waiting for a newer one."""
    if entry.quote and entry.fresh_until + AT_ONCE > now and may_be_displayed(entry.quote, now):
        return entry.displayed()
    return None


def _last(entry: CachedQuote, now: datetime) -> Quote | None:
    """What may be shown when no newer one came in time."""
    if entry.quote is None or not may_be_displayed(entry.quote, now):
        return None
    return marked(entry.quote, entry.stale_reason or "timeout")
