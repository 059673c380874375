"""The prices of a symbol over a time, as clients see them and as they are in the cache."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from contracts.quotes import StaleReason
from contracts.values import Symbol

HistoryRange = Literal["1d", "5d", "1mo", "6mo", "ytd", "1y", "5y", "max"]
SparklineRange = Literal["1d", "5d", "1mo"]
HistoryDetail = Literal["full", "closes"]
Interval = Literal["5m", "15m", "30m", "1h", "1d", "1wk", "1mo"]

INTERVALS: dict[HistoryRange, Interval] = {
    "1d": "5m",
    "5d": "30m",
    "1mo": "1d",
    "6mo": "1d",
    "ytd": "1d",
    "1y": "1d",
    "5y": "1wk",
    "max": "1mo",
}
"""How far apart the points of a full history are."""
SPARKLINE_INTERVALS: dict[HistoryRange, Interval] = {"1d": "15m", "5d": "1h", "1mo": "1d"}
"""How far apart those of a sparkline are, which is as wide as a word."""

MAX_POINTS = 1_500
"""Of one history. A provider that returns more is cut to the newest."""


class PricePoint(BaseModel):
    """One bar, which begins at `time`. A bar without a `close` is a hole: nothing is known of it.

    Prices are decimal strings in the currency of the history, adjusted for splits.
    """

    model_config = ConfigDict(frozen=True)

    time: datetime
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None
    volume: int | None = None


class PriceHistory(BaseModel):
    """The bars of one range, oldest first, with everything needed to judge them.

    `previous_close` is the close before the first bar. `stale_reason` is why the provider could
    not renew a history that is `stale`.
    """

    model_config = ConfigDict(frozen=True)

    symbol: Symbol
    name: str
    range: HistoryRange
    interval: Interval
    currency: str
    quoted_unit: str
    previous_close: str | None
    points: tuple[PricePoint, ...]
    fetched_at: datetime
    delay_minutes: int
    source: str
    stale: bool = False
    stale_reason: StaleReason | None = None

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """What a client gets: made once, shared by all responses."""
        return self.model_dump(mode="json")

    def marked(self, reason: StaleReason) -> Self:
        """The same history, as one that its provider could not renew."""
        return self.model_copy(update={"stale": True, "stale_reason": reason})


class CachedHistory(BaseModel):
    """A history in the cache. Until `fresh_until` no provider is asked again.

    `stale_reason` says why the last attempt to renew it failed.
    """

    model_config = ConfigDict(frozen=True)

    history: PriceHistory
    fresh_until: datetime
    stale_reason: StaleReason | None = None

    @cached_property
    def displayed(self) -> PriceHistory:
        """The history, marked when the provider failed."""
        return self.history.marked(self.stale_reason) if self.stale_reason else self.history


@dataclass(frozen=True, slots=True)
class HistoryKey:
    """Which history: of which symbol, over which range, with all fields or with closes only."""

    symbol: str
    range: HistoryRange
    detail: HistoryDetail = "full"

    @property
    def text(self) -> str:
        """The key as one text; no symbol is written like it."""
        return f"{self.detail}:{self.range}:{self.symbol}"

    @property
    def cache_key(self) -> str:
        """Where the cache has its `CachedHistory`, as JSON."""
        return f"qnt9:history:{self.text}"

    @property
    def interval(self) -> Interval:
        """How far apart the points are."""
        full = INTERVALS[self.range]
        return SPARKLINE_INTERVALS.get(self.range, full) if self.detail == "closes" else full
