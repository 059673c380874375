"""Quotes."""

from contracts.quotes import Quote
from gateway.endpoints import Answer, Call, Endpoint, Who
from gateway.limits.policies import QUOTE
from gateway.v1.symbols import symbol_of


async def show(call: Call) -> Answer:
    quote = await call.edge.quotes.quote(call, symbol_of(call))
    return Answer(200, quote.model_dump(mode="json"))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/quotes/{symbol}",
        show,
        "The latest price, and how old it is",
        {200: Quote},
        problems=("unknown-symbol", "quote-unavailable"),
        who=Who.VERIFIED,
        limits=QUOTE,
    ),
)
