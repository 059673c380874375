"""What chart, spark and search of Yahoo's protocol say. Pure; never a wrong price."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.quotes import Quote
from workers.quotes.currencies import in_whole_units
from workers.quotes.provider import Answer, Found, LeftOut, MalformedError, NoPrice, NotFound
from workers.quotes.replies import Reply, family_in, read_json
from workers.quotes.rules import Hit, Hours
from workers.quotes.values import (
    DELAY_MINUTES,
    change_of,
    currency_of,
    hint_of,
    name_of,
    positive,
    rounded,
    text_of,
    time_of,
)


def read_chart(reply: Reply, symbol: str, *, source: str, now: datetime) -> Answer:
    """Raises `RateLimitedError`, `UnavailableError`, `MalformedError`."""
    chart = family_in(read_json(reply, now), "chart", reply)
    if chart is None:
        return NotFound()
    return _quote(first_result(chart)["meta"], symbol, source=source, now=now)


def read_spark(
    reply: Reply, symbols: Sequence[str], *, source: str, now: datetime
) -> dict[str, Answer]:
    """One answer for each symbol asked; raises as `read_chart`."""
    answers: dict[str, Answer] = {symbol: LeftOut() for symbol in symbols}
    for symbol, result in spark_results(reply, now):
        if symbol in answers:
            answers[symbol] = _quote(result["meta"], symbol, source=source, now=now)
    return answers


def spark_results(reply: Reply, now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each symbol of a spark in capitals, with its result, which has a `meta`.

    Raises `RateLimitedError`, `UnavailableError`, `MalformedError`.
    """
    spark = family_in(read_json(reply, now), "spark", reply)
    rows = [] if spark is None else spark.get("result")
    if not isinstance(rows, list):
        raise MalformedError("a spark without a result")
    for row in rows:
        match row:
            case {"symbol": str(symbol), "response": [{"meta": dict()} as result, *_]}:
                yield symbol.upper(), result


def read_splits(reply: Reply, now: datetime) -> list[Decimal]:
    """How many new shares each old one became, of each split; raises as `read_chart`."""
    chart = family_in(read_json(reply, now), "chart", reply)
    events = {} if chart is None else first_result(chart).get("events")
    splits = events.get("splits") if isinstance(events, dict) else None
    found: list[Decimal] = []
    for split in splits.values() if isinstance(splits, dict) else ():
        match split:
            case {"numerator": new, "denominator": old}:
                new, old = positive(new), positive(old)
                if new and old:
                    found.append(new / old)
    return found


def read_search(reply: Reply, now: datetime) -> list[Hit]:
    """The rows that have a symbol; raises as `read_chart`."""
    answer = read_json(reply, now)
    if "quotes" not in answer:
        family_in(answer, "finance", reply)
    rows = answer.get("quotes")
    if reply.status != 200 or not isinstance(rows, list):
        raise MalformedError("a search without quotes")
    hits: list[Hit] = []
    for row in rows:
        match row:
            case {"symbol": str(symbol)}:
                name = name_of(row.get("longname")) or name_of(row.get("shortname")) or symbol
                exchange = name_of(row.get("exchDisp")) or name_of(row.get("exchange")) or None
                kind = name_of(row.get("quoteType")).lower() or None
                score = row.get("score")
                weight = float(score) if isinstance(score, int | Decimal) else 0.0
                hits.append(Hit(symbol.upper(), name, exchange, kind, weight))
    return hits


def first_result(chart: dict[str, Any]) -> dict[str, Any]:
    """The one result of a chart. Raises `MalformedError` if there is none."""
    match chart.get("result"):
        case [{"meta": dict()} as result, *_]:
            return dict(result)
    raise MalformedError("a chart without a result")


def _quote(meta: dict[str, Any], symbol: str, *, source: str, now: datetime) -> Answer:
    if str(meta.get("symbol", "")).upper() != symbol:
        return NoPrice("another symbol than asked")
    unit = currency_of(meta.get("currency"))
    if unit is None:
        return NoPrice("no currency that is known")
    price, as_of = positive(meta.get("regularMarketPrice")), time_of(meta.get("regularMarketTime"))
    if price is None or as_of is None:
        return NoPrice("no price" if price is None else "no time")
    hint = hint_of(meta.get("priceHint"))
    price, currency = in_whole_units(rounded(price, hint), unit)
    previous = positive(meta.get("chartPreviousClose"))
    if previous is not None:
        previous, _ = in_whole_units(rounded(previous, hint), unit)
    hours = trading_hours(meta.get("currentTradingPeriod"))
    delay = meta.get("exchangeDataDelayedBy")
    quote = Quote(
        symbol=symbol,
        name=name_of(meta.get("longName")) or name_of(meta.get("shortName")) or symbol,
        price=text_of(price),
        currency=currency,
        quoted_unit=unit,
        previous_close=None if previous is None else text_of(previous),
        change_percent=None if previous is None else change_of(price, previous),
        market_state=hours.state(now) if hours else "closed",
        as_of=as_of,
        fetched_at=now,
        delay_minutes=delay if type(delay) is int and 0 <= delay <= 1_440 else DELAY_MINUTES,
        source=source,
    )
    return Found(quote, hours)


def trading_hours(period: Any) -> Hours | None:
    """The trading day of a `currentTradingPeriod`; None for what is not one."""
    match period:
        case {
            "pre": {"start": pre},
            "regular": {"start": start, "end": end},
            "post": {"end": post},
        }:
            times = [time_of(value) for value in (pre, start, end, post)]
            pre, start, end, post = times
            if pre and start and end and post and pre <= start < end <= post:
                return Hours(pre, start, end, post)
    return None
