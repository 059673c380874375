"""Price histories at the gateway: from the cache, else requested from the quotes worker, once.

As quotes (ADR 13): fresh until its soft time; up to the hard time shown at once while a newer one
is requested. Everything waits a bounded time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from contracts.commands import LookUpHistory
from contracts.history import CachedHistory, HistoryKey, PriceHistory
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.quotes import AT_ONCE, may_be_displayed
from gateway.commands.publisher import CommandPublisher, Intent
from gateway.context import RequestContext
from gateway.problems import ProblemError
from gateway.quotes.history_cache import HistoryCache
from gateway.quotes.single_flight import SingleFlight
from infra.runtime.clock import CLOCK

LOOK_UP_SECONDS = 8.0
PATIENT_SECONDS = 2.0
"""How long a newer history is waited for where an older one could be shown, or none is needed."""
RENEWED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Unavailable:
    """There is no history: the symbol is unknown, or the provider could not be asked."""

    problem: ProblemError
    is_negative: bool = True


_Answer = PriceHistory | _Unavailable


class Histories:
    """Reads what is cached, and requests what is not fresh."""

    def __init__(self, cache: HistoryCache, commands: CommandPublisher) -> None:
        self._cache = cache
        self._commands = commands
        self._single_flight: SingleFlight[_Answer] = SingleFlight(
            is_negative=lambda answer: isinstance(answer, _Unavailable) and answer.is_negative
        )

    async def history(self, context: RequestContext, key: HistoryKey) -> PriceHistory:
        """The best there is within the wait. Raises `ProblemError`."""
        entry = (await self._cache.get([key])).get(key)
        if entry and (found := self._at_once(context, key, entry, CLOCK.now())):
            return found
        last = _last(entry, CLOCK.now())
        seconds = PATIENT_SECONDS if last else LOOK_UP_SECONDS
        match await self._single_flight.answer(
            key.text, partial(self._look_up, context, key), seconds
        ):
            case PriceHistory() as history:
                return history
            case _Unavailable(problem=problem, is_negative=False):
                raise problem
        if last:
            return last
        raise ProblemError("history-unavailable")

    async def sparklines(
        self, context: RequestContext, keys: Sequence[HistoryKey]
    ) -> dict[HistoryKey, PriceHistory]:
        """What is known within a short wait; the rest is requested, and there at the next look.

        Of very many that are missing, the first are requested.
        """
        cached = await self._cache.get(keys)
        now = CLOCK.now()
        displayed: dict[HistoryKey, PriceHistory] = {}
        for key, entry in cached.items():
            if found := self._at_once(context, key, entry, now):
                displayed[key] = found
        missing = [key for key in keys if key not in displayed][:RENEWED_AT_ONCE]
        tasks = {key: self._begin(context, key) for key in missing}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=PATIENT_SECONDS)
        for key in (key for key in keys if key not in displayed):
            task, last = tasks.get(key), _last(cached.get(key), now)
            answer = task.result() if task and task.done() else None
            if isinstance(answer, PriceHistory):
                displayed[key] = answer
            elif last:
                displayed[key] = last
        return displayed

    def _at_once(
        self, context: RequestContext, key: HistoryKey, entry: CachedHistory, now: datetime
    ) -> PriceHistory | None:
        """What is shown without a wait; one past its soft time is renewed behind it."""
        if entry.fresh_until > now:
            return entry.displayed
        if entry.fresh_until + AT_ONCE > now and may_be_displayed(entry.history, now):
            self._begin(context, key)
            return entry.displayed
        return None

    def _begin(self, context: RequestContext, key: HistoryKey) -> asyncio.Task[_Answer]:
        return self._single_flight.begin(key.text, partial(self._look_up, context, key))

    async def _look_up(self, context: RequestContext, key: HistoryKey) -> _Answer:
        intent = Intent(uuid7(), CLOCK.now(), None)
        command = LookUpHistory(symbol=key.symbol, range=key.range, detail=key.detail)
        try:
            command_result = await self._commands.request(
                context, intent, command, key=key.symbol, seconds=LOOK_UP_SECONDS
            )
        except ProblemError as error:
            return _Unavailable(error)
        match command_result.outcome if command_result else None:
            case Succeeded(result={"history": found}):
                return PriceHistory.model_validate(found)
            case Rejected(code="unknown-symbol"):
                return _Unavailable(ProblemError("unknown-symbol"), is_negative=False)
        return _Unavailable(ProblemError("history-unavailable"))


def _last(entry: CachedHistory | None, now: datetime) -> PriceHistory | None:
    """What may be shown when no newer one came in time."""
    if entry is None or not may_be_displayed(entry.history, now):
        return None
    return entry.history.marked(entry.stale_reason or "timeout")
