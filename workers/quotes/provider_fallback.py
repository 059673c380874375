"""Providers one behind the other: what the first cannot tell, the next is asked.

The first is believed when it does not know a symbol; another's alphabet may merely differ.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar

from contracts.history import HistoryKey
from contracts.quotes import StaleReason
from infra.resilience.provider_calls import Upstream
from workers.quotes.provider import (
    TROUBLE,
    Answer,
    Found,
    FoundHistory,
    HistoryAnswer,
    LeftOut,
    NoPrice,
    NotFound,
    Provider,
    Searcher,
    reason_of,
)
from workers.quotes.rules import Hit


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody could tell, and why the first provider could not."""

    reason: StaleReason


Verdict = Found | NotFound | NoPrice | LeftOut | Failed
HistoryVerdict = FoundHistory | NotFound | NoPrice | LeftOut | Failed
"""What is known in the end. `LeftOut` is never among them."""

A = TypeVar("A")


@dataclass(frozen=True)
class ProviderLink:
    """A provider, and the one way to call it."""

    provider: Provider
    upstream: Upstream


@dataclass(frozen=True, slots=True)
class _Question(Generic[A]):
    """One way to ask a provider for several symbols, and how many one call takes."""

    ask: Callable[[Sequence[str]], Awaitable[dict[str, A]]]
    most: int


class ProviderFallback:
    """Retries and circuits are each provider's own."""

    def __init__(self, links: Sequence[ProviderLink], searcher: Searcher) -> None:
        self._links = tuple(links)
        self._searcher = searcher

    @property
    def first(self) -> str:
        """The name of the provider that is asked first."""
        return self._links[0].provider.name

    @property
    def most(self) -> int:
        """How many symbols one call may ask for."""
        return self._links[0].provider.most

    @property
    def open_until(self) -> datetime | None:
        """Until when the first provider is not called."""
        return self._links[0].upstream.open_until

    def describe(self) -> list[dict[str, Any]]:
        """Return the state of each provider, as JSON for operators."""
        return [link.upstream.describe() for link in self._links]

    async def quotes(self, symbols: Sequence[str], *, within: float) -> dict[str, Verdict]:
        """A verdict for each symbol. Each provider but the last has half of what time is left."""

        def question(provider: Provider) -> _Question[Answer]:
            return _Question(provider.quotes, provider.most)

        return await self._in_turn(symbols, question, within)

    async def histories(
        self, keys: Sequence[HistoryKey], *, within: float
    ) -> dict[str, HistoryVerdict]:
        """The same for the histories of one range, or the sparklines, of different symbols."""
        wanted = {key.symbol: key for key in keys}

        def question(provider: Provider) -> _Question[HistoryAnswer]:
            async def ask(symbols: Sequence[str]) -> dict[str, HistoryAnswer]:
                return await provider.histories([wanted[symbol] for symbol in symbols])

            is_sparkline = all(key.detail == "closes" for key in keys)
            return _Question(ask, provider.most_sparklines if is_sparkline else 1)

        return await self._in_turn([*wanted], question, within)

    async def _in_turn(
        self,
        symbols: Sequence[str],
        question: Callable[[Provider], _Question[A]],
        within: float,
    ) -> dict[str, A | NoPrice | Failed]:
        loop = asyncio.get_running_loop()
        ends = loop.time() + within
        verdicts: dict[str, A | NoPrice | Failed] = {}
        open_ = list(symbols)
        for number, link in enumerate(self._links):
            left = ends - loop.time()
            is_last = link is self._links[-1]
            asked = question(link.provider)
            found = await _ask(link, asked, open_, left if is_last else left / 2)
            verdicts |= {
                symbol: verdict
                for symbol, verdict in found.items()
                if number == 0 or not isinstance(verdict, NotFound | NoPrice | Failed)
            }
            open_ = [s for s in open_ if isinstance(verdicts[s], NoPrice | Failed)]
            if not open_:
                break
        return verdicts

    async def splits(self, symbol: str, source: str, *, within: float) -> Sequence[Decimal]:
        """Of late, as the provider of a price tells it; none when it cannot be asked."""
        for link in self._links:
            if link.provider.name == source:
                try:
                    ask = partial(link.provider.splits, symbol)
                    return await link.upstream.call(ask, within=within)
                except TROUBLE:
                    return ()
        return ()

    async def search(self, text: str, *, within: float) -> Sequence[Hit]:
        """Raises one of `TROUBLE`."""
        ask: Callable[[], Any] = partial(self._searcher.search, text)
        hits: Sequence[Hit] = await self._links[0].upstream.call(ask, within=within)
        return hits


async def _ask(
    link: ProviderLink, question: _Question[A], symbols: Sequence[str], within: float
) -> dict[str, A | NoPrice | Failed]:
    """In as few calls as can be; who was left out of one is asked for alone."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + within
    most = question.most
    groups = [symbols[n : n + most] for n in range(0, len(symbols), most)]
    answers = await _together(link, question, groups, within)
    left_out = [[symbol] for symbol, answer in answers.items() if isinstance(answer, LeftOut)]
    if left_out:
        alone = await _together(link, question, left_out, ends - loop.time())
        answers |= alone
    return {
        symbol: NoPrice("left out") if isinstance(answer, LeftOut) else answer
        for symbol, answer in answers.items()
    }


async def _together(
    link: ProviderLink, question: _Question[A], groups: Sequence[Sequence[str]], within: float
) -> dict[str, A | LeftOut | Failed]:
    answers = await asyncio.gather(*(_call(link, question, group, within) for group in groups))
    return {symbol: answer for each in answers for symbol, answer in each.items()}


async def _call(
    link: ProviderLink, question: _Question[A], symbols: Sequence[str], within: float
) -> dict[str, A | LeftOut | Failed]:
    try:
        answers = await link.upstream.call(partial(question.ask, symbols), within=within)
    except TROUBLE as trouble:
        return dict.fromkeys(symbols, Failed(reason_of(trouble)))
    return {symbol: answers.get(symbol, LeftOut()) for symbol in symbols}
