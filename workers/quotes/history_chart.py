"""What chart and spark of Yahoo's protocol say of the prices over a time. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.history import MAX_POINTS, HistoryKey, PriceHistory
from workers.quotes.chart import first_result, spark_results, trading_hours
from workers.quotes.currencies import in_whole_units
from workers.quotes.history_bars import (
    FIELDS,
    Bar,
    Split,
    adjusted,
    believed,
    points_of,
    price_text,
)
from workers.quotes.provider import (
    FoundHistory,
    HistoryAnswer,
    LeftOut,
    MalformedError,
    NoPrice,
    NotFound,
)
from workers.quotes.replies import Reply, family_in, read_json
from workers.quotes.values import (
    DELAY_MINUTES,
    currency_of,
    hint_of,
    name_of,
    positive,
    time_of,
    volume_of,
)


def read_history(reply: Reply, key: HistoryKey, *, source: str, now: datetime) -> HistoryAnswer:
    """The history in a chart. Raises `RateLimitedError`, `UnavailableError`, `MalformedError`."""
    chart = family_in(read_json(reply, now), "chart", reply)
    if chart is None:
        return NotFound()
    return _history(first_result(chart), key, source=source, now=now)


def read_sparklines(
    reply: Reply, keys: Mapping[str, HistoryKey], *, source: str, now: datetime
) -> dict[str, HistoryAnswer]:
    """The histories in a spark, by symbol; raises as `read_history`."""
    answers: dict[str, HistoryAnswer] = {symbol: LeftOut() for symbol in keys}
    for symbol, result in spark_results(reply, now):
        if symbol in keys:
            answers[symbol] = _history(result, keys[symbol], source=source, now=now)
    return answers


def _history(
    result: dict[str, Any], key: HistoryKey, *, source: str, now: datetime
) -> HistoryAnswer:
    meta = result["meta"]
    if str(meta.get("symbol", "")).upper() != key.symbol:
        return NoPrice("another symbol than asked")
    unit = currency_of(meta.get("currency"))
    if unit is None:
        return NoPrice("no currency that is known")
    hint = hint_of(meta.get("priceHint"))
    as_told = believed(_bars(result))
    bars = adjusted(as_told, _splits(result))
    # It is that of the first bar as the provider sent it.
    is_of_first = bars == as_told and len(bars) <= MAX_POINTS
    previous = positive(meta.get("chartPreviousClose")) if is_of_first else None
    delay = meta.get("exchangeDataDelayedBy")
    history = PriceHistory(
        symbol=key.symbol,
        name=name_of(meta.get("longName")) or name_of(meta.get("shortName")) or key.symbol,
        range=key.range,
        interval=key.interval,
        currency=in_whole_units(Decimal(1), unit)[1],
        quoted_unit=unit,
        previous_close=price_text(previous, unit, hint),
        points=points_of(bars, key, unit, hint),
        fetched_at=now,
        delay_minutes=delay if type(delay) is int and 0 <= delay <= 1_440 else DELAY_MINUTES,
        source=source,
    )
    return FoundHistory(history, trading_hours(meta.get("currentTradingPeriod")))


def _bars(result: dict[str, Any]) -> list[Bar]:
    """Raises `MalformedError` for columns of other lengths than the times have."""
    times = result.get("timestamp")
    if not times:
        return []
    match result:
        case {"indicators": {"quote": [dict(columns), *_]}} if isinstance(times, list):
            pass
        case _:
            raise MalformedError("times without prices")
    nothing = [None] * len(times)
    given = {name: columns.get(name) or nothing for name in (*FIELDS, "volume")}
    if any(not isinstance(each, list) or len(each) != len(times) for each in given.values()):
        raise MalformedError("columns of different lengths")
    bars = []
    for n, seconds in enumerate(times):
        if time := time_of(seconds):
            prices = {name: positive(given[name][n]) for name in FIELDS}
            bars.append(Bar(time, volume=volume_of(given["volume"][n]), **prices))
    return bars


def _splits(result: dict[str, Any]) -> list[Split]:
    events = result.get("events")
    splits = events.get("splits") if isinstance(events, dict) else None
    found = []
    for split in splits.values() if isinstance(splits, dict) else ():
        match split:
            case {"date": at, "numerator": new, "denominator": old}:
                time, new, old = time_of(at), positive(new), positive(old)
                if time and new and old:
                    found.append(Split(time, new / old))
    return found
