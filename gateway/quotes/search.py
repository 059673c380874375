"""Searches: from the cache, else by one command to the quotes worker for all who search."""

from dataclasses import dataclass
from functools import partial

from contracts.commands import Search
from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from contracts.securities import Found, identified
from gateway.commands.publisher import CommandPublisher, Intent
from gateway.context import RequestContext
from gateway.problems import ProblemError
from gateway.quotes.quote_cache import QuoteCache
from gateway.quotes.single_flight import SingleFlight
from infra.runtime.clock import CLOCK

SEARCH_SECONDS = 8.0
NOT_SAID = "(encrypted)"
"""In clear on the bus instead of the text."""


@dataclass(frozen=True, slots=True)
class _NegativeResult:
    """Nobody could search."""


class Searches:
    """Bounded in time, whatever is away."""

    def __init__(self, cache: QuoteCache, commands: CommandPublisher) -> None:
        self._cache = cache
        self._commands = commands
        self._single_flight: SingleFlight[Found | _NegativeResult] = SingleFlight(
            is_negative=lambda answer: isinstance(answer, _NegativeResult)
        )

    async def find(self, context: RequestContext, text: str) -> Found:
        """Candidates, the likeliest first. Raises `ProblemError`."""
        subject = identified(text).subject
        if found := await self._cache.search(subject):
            return found
        ask = partial(self._ask, context, subject, text)
        answer = await self._single_flight.answer(subject, ask, SEARCH_SECONDS)
        if isinstance(answer, Found):
            return answer
        raise ProblemError("search-unavailable")

    async def _ask(
        self, context: RequestContext, subject: str, text: str
    ) -> Found | _NegativeResult:
        intent = Intent(uuid7(), CLOCK.now(), None)
        encrypted = self._commands.encrypted(intent, "text", text)
        command = Search(text=NOT_SAID, encrypted_text=encrypted)
        key = self._commands.key_of(subject)
        try:
            command_result = await self._commands.request(
                context, intent, command, key=key, seconds=SEARCH_SECONDS
            )
        except ProblemError:
            return _NegativeResult()
        match command_result.outcome if command_result else None:
            case Succeeded(result=dict(result)):
                return Found.model_validate(result)
        return _NegativeResult()
