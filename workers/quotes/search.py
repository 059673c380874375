"""Searches: candidates in order of likelihood, never silently one.

A WKN is asked for as it stands and as the ISIN of a German issuer; for a foreign share nothing has
that ISIN, and none is made up. Without a provider what we have quotes of is all that is found.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

from contracts.commands import Search
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.securities import (
    Candidate,
    Found,
    Kind,
    isin_of_german_issuer,
    spelling_of_class_share,
)
from infra.postgres.pool import UNAVAILABLE
from workers.quotes import store
from workers.quotes.batch_loader import LookUp
from workers.quotes.dependencies import QuotesDeps
from workers.quotes.provider import TROUBLE
from workers.quotes.provider import Found as Priced
from workers.quotes.provider_fallback import ProviderFallback
from workers.quotes.rules import JITTER, Hit, Hits, as_candidates, sought

CANDIDATES = 10
RESULT_TTL = timedelta(minutes=10)
ISIN_TTL = timedelta(days=30)
MARGIN_SECONDS = 0.5
CURRENCY_SECONDS = 2.0


async def search_for(deps: QuotesDeps, look_ups: Sequence[LookUp]) -> None:
    """Each text by itself."""
    await asyncio.gather(*(_search(deps, each) for each in look_ups))


async def _search(deps: QuotesDeps, look_up: LookUp) -> None:
    text = look_up.subject
    found = await deps.cache.get_search(text)
    if found is None:
        try:
            found = await _ask(deps, look_up, look_up.seconds_left - MARGIN_SECONDS)
        except TROUBLE:
            found = await _from_memory(deps, text)
        else:
            await deps.cache.put_search(text, found, _kept(found))
    await deps.report([(look_up, _outcome_of(found))])
    await deps.record_changes()


async def _ask(deps: QuotesDeps, look_up: LookUp, within: float) -> Found:
    """Raises one of `TROUBLE`."""
    text, kind = look_up.subject, sought(look_up.subject).kind
    if kind == "text":
        hits = await _text_hits(deps.chain, _as_typed(look_up), within)
    else:
        hits = await _hits(deps.chain, text, kind, within)
    candidates = as_candidates(text, hits)[:CANDIDATES]
    currencies = await _currencies(deps, [each.symbol for each in candidates])
    return Found(
        query=text,
        kind=kind,
        candidates=[
            each.model_copy(update={"currency": currencies.get(each.symbol)}) for each in candidates
        ],
    )


async def _hits(chain: ProviderFallback, text: str, kind: Kind, within: float) -> Hits:
    if kind == "isin":
        return Hits(by_isin=await chain.search(text, within=within), isin=text)
    as_it_stands = await chain.search(text, within=within)
    isin = isin_of_german_issuer(text)
    german: Sequence[Hit] = await chain.search(isin, within=within)
    return Hits(by_isin=german, isin=isin, by_wkn=as_it_stands)


async def _text_hits(chain: ProviderFallback, text: str, within: float) -> Hits:
    """As it was typed; what looks like a class share also as providers write those."""
    found = list(await chain.search(text, within=within))
    spelling = spelling_of_class_share(text)
    if spelling:
        found += await chain.search(spelling, within=within)
    return Hits(by_text=found, spelling=spelling)


def _as_typed(look_up: LookUp) -> str:
    """By the first who asks: all who ask together compare alike."""
    data = look_up.askers[0].data
    return data.text if isinstance(data, Search) else look_up.subject


async def _currencies(deps: QuotesDeps, symbols: Sequence[str]) -> dict[str, str]:
    """A search says none: from the quotes we have, the rest from one call for quotes."""
    known = await deps.known(symbols)
    units = {symbol: entry.quote.quoted_unit for symbol, entry in known.items() if entry.quote}
    if missing := [symbol for symbol in symbols if symbol not in units]:
        verdicts = await deps.chain.quotes(missing, within=CURRENCY_SECONDS)
        for symbol, verdict in verdicts.items():
            if isinstance(verdict, Priced):
                units[symbol] = verdict.quote.quoted_unit
    return units


async def _from_memory(deps: QuotesDeps, text: str) -> Found | None:
    try:
        quotes = await store.named(deps.pool, text, CANDIDATES)
    except UNAVAILABLE:
        return None
    candidates = [
        Candidate(
            symbol=quote.symbol,
            name=quote.name,
            exchange=None,
            currency=quote.quoted_unit,
            type=None,
            isin=None,
            match="symbol" if quote.symbol.startswith(text) else "name",
        )
        for quote in quotes
    ]
    return Found(query=text, kind=sought(text).kind, candidates=candidates, complete=False)


def _kept(found: Found) -> timedelta:
    kept = ISIN_TTL if found.kind == "isin" and found.candidates else RESULT_TTL
    return kept * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311  # not all at once


def _outcome_of(found: Found | None) -> Outcome:
    if found is None or not (found.candidates or found.complete):
        return Rejected("search-unavailable")
    return Succeeded(found.model_dump(mode="json"))
