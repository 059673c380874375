"""Quotes, and the search for what can be quoted."""

from typing import Any

from contracts.quotes import Quote
from contracts.securities import Found
from contracts.values import is_symbol
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.problems import ProblemError
from gateway.rate_limit.policies import QUOTE
from gateway.v1.quote_models import QuoteList, SearchQuery, Wanted, texts_in
from gateway.v1.symbols import symbol_asked_for, unknown_symbols


async def show(call: Call, deps: GatewayDeps) -> Answer:
    """The problem names the provider's spelling of a class share."""
    symbol = await symbol_asked_for(call, deps)
    try:
        quote = await deps.quotes.quote(call.context, symbol)
    except ProblemError as error:
        if error.code == "unknown-symbol":
            raise (await unknown_symbols(call, deps, [symbol]))[symbol] from error
        raise
    return Answer(200, quote.as_json)


async def show_many(call: Call, deps: GatewayDeps) -> Answer:
    """Each symbol has a quote or a problem, in the requested order."""
    asked = texts_in(call.query(Wanted).symbols)
    found = await deps.quotes.quotes(call.context, [text for text in asked if is_symbol(text)])
    unknown = await unknown_symbols(
        call, deps, (text for text in asked if _is_unknown(found.get(text)))
    )
    return Answer(200, {"items": [_item(text, unknown.get(text) or found[text]) for text in asked]})


def _is_unknown(outcome: Quote | ProblemError | None) -> bool:
    """None is the outcome of what can be no symbol."""
    return outcome is None or (
        isinstance(outcome, ProblemError) and outcome.code == "unknown-symbol"
    )


async def search(call: Call, deps: GatewayDeps) -> Answer:
    """Searches by symbol, name, ISIN or WKN. A WKN never becomes an ISIN without a listing."""
    found = await deps.searches.find(call.context, call.query(SearchQuery).q)
    return Answer(200, found.model_dump(mode="json"))


def _item(text: str, outcome: Quote | ProblemError) -> dict[str, Any]:
    if isinstance(outcome, Quote):
        return {"symbol": text, "quote": outcome.as_json, "problem": None}
    problem = {
        "code": outcome.code,
        "title": outcome.problem.title,
        "status": outcome.problem.status,
        "detail": outcome.detail or outcome.problem.title,
    }
    return {"symbol": text, "quote": None, "problem": problem}


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/quotes/{symbol}",
        show,
        "The latest price and its age",
        {200: Quote},
        problems=("unknown-symbol", "quote-unavailable"),
        access=AccessLevel.VERIFIED,
        limits=QUOTE,
    ),
    Endpoint(
        "GET",
        "/api/v1/quotes",
        show_many,
        "The latest prices of several symbols",
        {200: QuoteList},
        problems=("invalid-fields",),
        access=AccessLevel.VERIFIED,
        limits=QUOTE,
        query=Wanted,
    ),
    Endpoint(
        "GET",
        "/api/v1/search",
        search,
        "Search securities, the best match first",
        {200: Found},
        problems=("invalid-fields", "search-unavailable"),
        access=AccessLevel.VERIFIED,
        limits=QUOTE,
        query=SearchQuery,
    ),
)
