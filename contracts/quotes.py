"""A quote as clients see it, and as the cache holds it for the gateway."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from contracts.values import Symbol

StaleReason = Literal["circuit_open", "rate_limited", "upstream_error", "timeout"]
MarketState = Literal["pre", "regular", "post", "closed"]


class Quote(BaseModel):
    """One price with everything needed to judge it. Prices are decimal strings in `currency`.

    `quoted_unit` is what the exchange quotes in where that is a hundredth: GBp, ZAc, ILA.
    """

    model_config = ConfigDict(frozen=True)

    symbol: Symbol
    name: str
    price: str
    currency: str
    quoted_unit: str
    previous_close: str | None
    change_percent: str | None
    market_state: MarketState
    as_of: datetime
    fetched_at: datetime
    delay_minutes: int
    source: str
    stale: bool = False
    stale_reason: StaleReason | None = None

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """What a client gets: made once, shared by all responses."""
        return self.model_dump(mode="json")


MAX_DISPLAYED = timedelta(hours=24)
DISPLAYED_OVER_A_WEEKEND = timedelta(hours=96)
AT_ONCE = timedelta(minutes=5)
"""The hard time: so long after its soft time a quote is shown at once while a newer one comes."""


class CachedQuote(BaseModel):
    """What the cache holds for a symbol: a quote, or that there is none (`quote` is null).

    Until `fresh_until` no provider is asked again; `stale_reason` is why the last request failed.
    """

    model_config = ConfigDict(frozen=True)

    quote: Quote | None
    fresh_until: datetime
    stale_reason: StaleReason | None = None

    def displayed(self) -> Quote | None:
        """The quote, marked when the provider failed."""
        if self.quote is None or self.stale_reason is None:
            return self.quote
        return marked(self.quote, self.stale_reason)


def marked(quote: Quote, reason: StaleReason) -> Quote:
    """The same quote, as one that its provider could not renew."""
    return quote.model_copy(update={"stale": True, "stale_reason": reason})


class Fetched(Protocol):
    """A quote, or another answer of a provider."""

    @property
    def fetched_at(self) -> datetime: ...


def may_be_displayed(quote: Fetched, now: datetime) -> bool:
    """Whether a last good quote is still worth showing while its provider fails."""
    age = now - quote.fetched_at
    return age <= (
        DISPLAYED_OVER_A_WEEKEND if _weekend_since(quote.fetched_at, now) else MAX_DISPLAYED
    )


def cache_key(symbol: str) -> str:
    """Where a symbol's `CachedQuote` lies in the cache, as JSON."""
    return f"qnt9:quote:{symbol}"


def _weekend_since(then: datetime, now: datetime) -> bool:
    days = min((now.date() - then.date()).days, 7)
    return any((then + timedelta(days=n)).weekday() >= 5 for n in range(days + 1))
