"""Queries and answers of price histories, as the OpenAPI document shows them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.history import HistoryRange, Interval, SparklineRange
from contracts.quotes import StaleReason


class HistoryQuery(BaseModel):
    """Over which time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    range: Annotated[HistoryRange, Field(description="How far back.", examples=["1mo"])] = "1d"


class SparklineQuery(BaseModel):
    """Over which time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    range: Annotated[SparklineRange, Field(description="How far back.", examples=["5d"])] = "1d"


class Sparkline(BaseModel):
    """The closes of one symbol: `closes[n]` is of the bar that begins at `times[n]`.

    `times` are seconds since 1970 in UTC. A null close is a hole. Prices are in `currency`;
    `previous_close` is the close before the first bar.
    """

    currency: str
    previous_close: str | None
    times: list[int]
    closes: list[str | None]
    fetched_at: datetime
    source: str
    stale: bool
    stale_reason: StaleReason | None


class SparklineItem(BaseModel):
    """One symbol of the watchlist. The sparkline is null while none is known."""

    symbol: str
    sparkline: Sparkline | None


class Sparklines(BaseModel):
    """The sparklines of the caller's watchlist, in its order."""

    range: SparklineRange
    interval: Interval
    items: list[SparklineItem]
