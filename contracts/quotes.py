"""A quote as clients see it, and as it lies in the cache between the quotes worker and the edge."""

from datetime import datetime
from typing import Literal

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


class CachedQuote(BaseModel):
    """What the cache holds for a symbol: a quote, or that there is none (`quote` is null)."""

    model_config = ConfigDict(frozen=True)

    quote: Quote | None
    fresh_until: datetime


def cache_key(symbol: str) -> str:
    """Where a symbol's `CachedQuote` lies in the cache, as JSON."""
    return f"qnt9:quote:{symbol}"
