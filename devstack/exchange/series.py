"""What the exchange knows of one symbol, as a quote client gets it; and how it can be corrupted."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, assert_never

from devstack.exchange.faults import (
    ContentFault,
    NoTimestamp,
    NullCurrency,
    NullHoles,
    OtherCurrency,
    OtherSymbol,
    Price,
    Split,
)
from devstack.exchange.history import RANGES, bars_of, sessions_of
from devstack.exchange.listings import Listing
from devstack.exchange.markets import Period
from devstack.exchange.prices import Bar, last_price, price_before

_RATIO: Final = {"numerator", "denominator"}


@dataclass(frozen=True, slots=True)
class Series:
    meta: dict[str, Any]
    bars: list[Bar | None]
    times: list[int]
    split: Split | None = None
    split_at: int | None = None
    """When the split was; None for a moment ago."""

    def as_chart(self, *, with_splits: bool = False) -> dict[str, Any]:
        columns = ("open", "high", "low", "close", "volume")
        if not self.times:
            return {"meta": self.meta, "indicators": {"quote": [{}]}}
        quote = {column: [getattr(bar, column, None) for bar in self.bars] for column in columns}
        events = {"events": self._events(self.split)} if with_splits and self.split else {}
        indicators = {"quote": [quote]}
        return {"meta": self.meta, "timestamp": self.times, **events, "indicators": indicators}

    def _events(self, split: Split) -> dict[str, Any]:
        ratio = f"{split.numerator}:{split.denominator}"
        at = self.times[-1] if self.split_at is None else self.split_at
        row = {"date": at, "splitRatio": ratio}
        return {"splits": {str(at): row | split.model_dump(include=_RATIO)}}

    def as_spark_v7(self) -> dict[str, Any]:
        response: dict[str, Any] = {"meta": self.meta, "indicators": {"quote": [{}]}}
        if self.times:
            response["timestamp"] = self.times
            response["indicators"] = {"quote": [{"close": self._closes()}]}
        return {"symbol": self.meta["symbol"], "response": [response]}

    def as_spark_v8(self) -> dict[str, Any]:
        return {
            "symbol": self.meta["symbol"],
            "timestamp": self.times,
            "close": self._closes(),
            "previousClose": self.meta["previousClose"],
            "chartPreviousClose": self.meta["chartPreviousClose"],
            "start": None,
            "end": None,
            "dataGranularity": 300,
        }

    def _closes(self) -> list[Any]:
        return [bar.close if bar else None for bar in self.bars] if self.times else []


def series(listing: Listing, now: float, range_: str, interval: str) -> Series:
    sessions = sessions_of(listing, now, range_)
    bars = bars_of(listing, now, sessions, interval)
    last = last_price(listing, now)
    meta = {
        "currency": listing.currency,
        "symbol": listing.symbol,
        "exchangeName": listing.market.code,
        "fullExchangeName": listing.market.name,
        "instrumentType": listing.kind,
        "regularMarketTime": last.time,
        "gmtoffset": listing.market.current_period(now).offset,
        "timezone": listing.market.zone,
        "exchangeTimezoneName": listing.market.zone,
        "regularMarketPrice": last.price,
        "regularMarketDayHigh": last.day.high,
        "regularMarketDayLow": last.day.low,
        "regularMarketVolume": last.day.volume,
        "longName": listing.name,
        "shortName": listing.name[:31],
        "previousClose": last.previous_close,
        "chartPreviousClose": price_before(listing, now, len(sessions)),
        "priceHint": 2,
        "currentTradingPeriod": _trading_period(
            listing.market.current_period(now), listing.market.zone
        ),
        "dataGranularity": interval,
        "range": range_,
        "validRanges": list(RANGES),
        "source": "sandbox",
    }
    # The newest bar carries the time of its last trade, as a live one does.
    times = [bar.time for bar in bars[:-1]] + [last.time]
    past = listing.split
    if past is None or past.day < sessions[0]:
        return Series(meta, list(bars), times)
    split = Split(kind="split", numerator=past.numerator, denominator=past.denominator)
    return Series(meta, list(bars), times, split, listing.market.period(past.day).start)


def corrupted(good: Series, fault: ContentFault | None) -> Series:  # noqa: PLR0911 - one a kind
    match fault:
        case None:
            return good
        case NullHoles():
            bars = [bar if n % 2 else None for n, bar in enumerate(good.bars)]
            return dataclasses.replace(good, bars=bars)
        case NoTimestamp():
            return dataclasses.replace(good, bars=[], times=[])
        case NullCurrency():
            return _with(good, currency=None)
        case OtherCurrency(value=currency):
            return _with(good, currency=currency)
        case OtherSymbol(value=symbol):
            return _with(good, symbol=symbol)
        case Price(value=value):
            return _priced(good, value)
        case Split(numerator=new, denominator=old):
            price = round(good.meta["regularMarketPrice"] * old / new, 4)
            return dataclasses.replace(_priced(good, price), split=fault, split_at=None)
    assert_never(fault)


def _priced(good: Series, value: float | str | None) -> Series:
    price: Any = float(value) if value in ("NaN", "Infinity", "-Infinity") else value
    bars = [dataclasses.replace(bar, close=price) if bar else None for bar in good.bars]
    return _with(dataclasses.replace(good, bars=bars), regularMarketPrice=price)


def _with(good: Series, **meta: object) -> Series:
    return dataclasses.replace(good, meta=good.meta | meta)


def _trading_period(period: Period, zone: str) -> dict[str, dict[str, Any]]:
    parts = {
        "pre": (period.pre, period.start),
        "regular": (period.start, period.end),
        "post": (period.end, period.post),
    }
    return {
        name: {"timezone": zone, "start": start, "end": end, "gmtoffset": period.offset}
        for name, (start, end) in parts.items()
    }
