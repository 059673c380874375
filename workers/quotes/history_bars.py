"""The bars of a history, in a provider's unit: which are believed, and what clients see. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.history import MAX_POINTS, HistoryKey, PricePoint
from workers.quotes.currencies import in_whole_units
from workers.quotes.values import rounded, text_of

SPIKE = 50
"""A close that differs so many times from both neighbours is in another unit, and a hole."""
FIELDS = ("open", "high", "low", "close")
_ROUGHLY = Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in the provider's unit. What cannot be a price is None."""

    time: datetime
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """When each old share became how many new ones."""

    time: datetime
    ratio: Decimal


def points_of(
    bars: Sequence[Bar], key: HistoryKey, unit: str, hint: int | None = None
) -> tuple[PricePoint, ...]:
    """The newest bars in whole units; of a sparkline the closes only."""
    fields = FIELDS if key.detail == "full" else ("close",)
    return tuple(
        PricePoint(
            time=bar.time,
            volume=bar.volume if key.detail == "full" else None,
            **{name: price_text(getattr(bar, name), unit, hint) for name in fields},
        )
        for bar in bars[-MAX_POINTS:]
    )


def price_text(price: Decimal | None, unit: str, hint: int | None = None) -> str | None:
    """A price in whole units, as clients see it."""
    return None if price is None else text_of(in_whole_units(rounded(price, hint), unit)[0])


def believed(bars: Iterable[Bar]) -> list[Bar]:
    """The bars in the order of time, each time once, with a hole for what cannot be a price."""
    in_order: list[Bar] = []
    for bar in bars:
        if in_order and bar.time == in_order[-1].time:
            in_order.pop()
        if not in_order or bar.time > in_order[-1].time:
            in_order.append(_with_order(bar))
    return _without_spikes(in_order)


def adjusted(bars: Sequence[Bar], splits: Iterable[Split]) -> list[Bar]:
    """The bars in shares of today.

    Providers adjust by themselves, on the day of the split sometimes late: the bars before a split
    are divided by its ratio only if the price falls by about that much there. A ratio near one
    cannot be distinguished from a price that moves, and is left to the provider.
    """
    found = list(bars)
    for split in sorted(splits, key=lambda each: each.time):
        if 1 / _ROUGHLY < split.ratio < _ROUGHLY:
            continue
        count = sum(bar.time < split.time for bar in found)
        before = _last([bar.close for bar in found[:count]])
        after = _last([bar.close for bar in found[count:]][::-1])
        if before and after and _is_fall(before / after, split.ratio):
            found[:count] = [_divided(bar, split.ratio) for bar in found[:count]]
    return found


def _is_fall(times: Decimal, ratio: Decimal) -> bool:
    """Whether a price fell as by a split, rather than as prices do."""
    as_split = max(times / ratio, ratio / times)
    return as_split < _ROUGHLY and as_split < max(times, 1 / times)


def _divided(bar: Bar, ratio: Decimal) -> Bar:
    prices: dict[str, Any] = {
        name: _short(price / ratio) for name in FIELDS if (price := getattr(bar, name)) is not None
    }
    volume = None if bar.volume is None else int(bar.volume * ratio)
    return replace(bar, volume=volume, **prices)


def _short(price: Decimal) -> Decimal:
    """Eight significant digits: what a division adds is no information."""
    return price.quantize(Decimal(1).scaleb(price.adjusted() - 7)).normalize()


def _with_order(bar: Bar) -> Bar:
    """Without high and low where they contradict each other or the close."""
    low = min((p for p in (bar.open, bar.close) if p is not None), default=None)
    high = max((p for p in (bar.open, bar.close) if p is not None), default=None)
    wrong = (
        (bar.high is not None and bar.low is not None and bar.high < bar.low)
        or (bar.high is not None and high is not None and bar.high * SPIKE < high)
        or (bar.low is not None and low is not None and bar.low > low * SPIKE)
    )
    return replace(bar, high=None, low=None) if wrong else bar


def _without_spikes(bars: Sequence[Bar]) -> list[Bar]:
    """A hole for each close that jumps away from its neighbours."""
    known = [bar for bar in bars if bar.close is not None]
    spikes = {
        bar.time
        for before, bar, after in zip(known, known[1:], known[2:], strict=False)
        if _leaps(before.close, bar.close) and _leaps(after.close, bar.close)
    }
    return [Bar(bar.time) if bar.time in spikes else bar for bar in bars]


def _leaps(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and max(one / other, other / one) >= SPIKE


def _last(closes: Sequence[Decimal | None]) -> Decimal | None:
    """The last close that is known."""
    return next((close for close in reversed(closes) if close is not None), None)
