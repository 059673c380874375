"""Searches at the edge: from the cache, else asked of the quotes worker, once for all."""

from dataclasses import dataclass

from contracts.commands import Search
from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from contracts.securities import Found, identified
from gateway.commands.publisher import Commands, Intent
from gateway.http.endpoints import Call
from gateway.http.problems import ProblemError
from gateway.quotes.quote_cache import Known
from gateway.quotes.single_flight import Asking
from gateway.v1.quote_models import SearchQuery
from infra.runtime.clock import CLOCK

SEARCH_SECONDS = 8.0
NOT_SAID = "(encrypted)"
"""In clear on the bus instead of the text."""


@dataclass(frozen=True, slots=True)
class _Vain:
    """Nobody could search."""


class Searches:
    """Bounded in time, whatever is away."""

    def __init__(self, known: Known, commands: Commands) -> None:
        self._known = known
        self._commands = commands
        self._asking: Asking[Found | _Vain] = Asking(
            self._ask, in_vain=lambda told: isinstance(told, _Vain)
        )

    async def find(self, call: Call, text: str) -> Found:
        """Candidates, the likeliest first. Raises `ProblemError`."""
        subject = identified(text).subject
        if found := await self._known.search(subject):
            return found
        told = await self._asking.answer(call, subject, SEARCH_SECONDS)
        if isinstance(told, Found):
            return told
        raise ProblemError("search-unavailable")

    async def _ask(self, call: Call, subject: str) -> Found | _Vain:
        intent = Intent(uuid7(), CLOCK.now(), None)
        text = self._commands.encrypted(intent, "text", call.query(SearchQuery).q)
        command = Search(text=NOT_SAID, encrypted_text=text)
        key = self._commands.key_of(subject)
        try:
            told = await self._commands.ask(call, intent, command, key=key, seconds=SEARCH_SECONDS)
        except ProblemError:
            return _Vain()
        match told.outcome if told else None:
            case Succeeded(result=dict(result)):
                return Found.model_validate(result)
        return _Vain()
