"""What a chart answer of Yahoo's protocol says of one symbol. Pure; never a wrong price.

The body is judged, not the status alone: a throttled, moved or broken exchange answers anything.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from contracts.quotes import Quote
from infra.upstreams import RateLimitedError
from workers.quotes.provider import (
    Answer,
    Found,
    MalformedError,
    NoPrice,
    NotFound,
    UnavailableError,
)
from workers.quotes.rules import Hours

THROTTLED = {429, 999}
DELAY_MINUTES = 15
NAME_LENGTH = 120
DIGITS_MOST = 24
HUNDREDTHS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
"""Currencies that stand for a hundredth of another; GBp is not GBP."""

_CURRENCY = re.compile(r"^[A-Za-z]{3}$")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer over HTTP, as it came."""

    status: int
    body: bytes
    retry_after: str | None = None


def read_chart(reply: Reply, symbol: str, *, source: str, now: datetime) -> Answer:
    """Raises `RateLimitedError`, `UnavailableError`, `MalformedError`."""
    if reply.status in THROTTLED or _says_stop(reply.body):
        raise RateLimitedError(seconds_of(reply.retry_after, now))
    chart = _chart(reply)
    error = chart.get("error")
    if error:
        if isinstance(error, dict) and error.get("code") == "Not Found":
            return NotFound()
        if reply.status >= 500:
            raise UnavailableError(f"status {reply.status}")
        raise MalformedError(f"status {reply.status} with an error that nobody knows")
    if reply.status != 200:
        raise UnavailableError(f"status {reply.status}")
    match chart.get("result"):
        case [{"meta": dict(meta)}, *_]:
            return _quote(meta, symbol, source=source, now=now)
    raise MalformedError("a chart without a result")


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """A `Retry-After` of seconds or a date; None when it says nothing."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((until - now).total_seconds(), 0.0)


def in_whole_units(price: Decimal, currency: str) -> tuple[Decimal, str]:
    """Pence in pounds, exactly; anything else as it is."""
    if currency in HUNDREDTHS:
        return price.scaleb(-2), HUNDREDTHS[currency]
    return price, currency


def _says_stop(body: bytes) -> bool:
    return b"too many requests" in body[:200].lower() and not body.lstrip().startswith(b"{")


def _chart(reply: Reply) -> dict[str, Any]:
    try:
        answer = json.loads(reply.body, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        if reply.status != 200 or reply.body.lstrip().startswith(b"<"):
            raise UnavailableError(f"status {reply.status}, no JSON") from error
        raise MalformedError("no JSON") from error
    chart = answer.get("chart") if isinstance(answer, dict) else None
    if not isinstance(chart, dict):
        if reply.status >= 500:
            raise UnavailableError(f"status {reply.status}")
        raise MalformedError("JSON without a chart")
    return chart


def _quote(meta: dict[str, Any], symbol: str, *, source: str, now: datetime) -> Answer:
    if str(meta.get("symbol", "")).upper() != symbol:
        return NoPrice("another symbol than asked")
    unit = meta.get("currency")
    if not isinstance(unit, str) or not _CURRENCY.match(unit):
        return NoPrice("no currency")
    price, as_of = _positive(meta.get("regularMarketPrice")), _time(meta.get("regularMarketTime"))
    if price is None or as_of is None:
        return NoPrice("no price" if price is None else "no time")
    price, currency = in_whole_units(price, unit)
    previous = _positive(meta.get("chartPreviousClose"))
    if previous is not None:
        previous, _ = in_whole_units(previous, unit)
    hours = _hours(meta.get("currentTradingPeriod"))
    delay = meta.get("exchangeDataDelayedBy")
    quote = Quote(
        symbol=symbol,
        name=_name(meta.get("longName")) or _name(meta.get("shortName")) or symbol,
        price=_text(price),
        currency=currency,
        quoted_unit=unit,
        previous_close=None if previous is None else _text(previous),
        change_percent=None if previous is None else _change(price, previous),
        market_state=hours.state(now) if hours else "closed",
        as_of=as_of,
        fetched_at=now,
        delay_minutes=delay if type(delay) is int and 0 <= delay <= 1_440 else DELAY_MINUTES,
        source=source,
    )
    return Found(quote, hours)


def _positive(value: Any) -> Decimal | None:
    """A price that can be one: finite, above zero, and of a size that can be written down."""
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        return None
    _, digits, exponent = value.as_tuple()
    in_bounds = isinstance(exponent, int) and -DIGITS_MOST <= exponent <= DIGITS_MOST
    return value if in_bounds and len(digits) <= DIGITS_MOST else None


def _time(value: Any) -> datetime | None:
    if type(value) is not int or not 0 < value < 10**10:
        return None
    return datetime.fromtimestamp(value, UTC)


def _name(value: Any) -> str:
    """Without what no text column, no JSON and no screen takes."""
    text = value if isinstance(value, str) else ""
    return "".join(c for c in text if c.isprintable()).strip()[:NAME_LENGTH]


def _hours(period: Any) -> Hours | None:
    match period:
        case {
            "pre": {"start": pre},
            "regular": {"start": start, "end": end},
            "post": {"end": post},
        }:
            times = [_time(value) for value in (pre, start, end, post)]
            pre, start, end, post = times
            if pre and start and end and post and pre <= start < end <= post:
                return Hours(pre, start, end, post)
    return None


def _text(price: Decimal) -> str:
    """Every digit there is, and two decimals at least."""
    exponent = price.as_tuple().exponent
    decimals = max(-exponent if isinstance(exponent, int) else 0, 2)
    return f"{price:.{decimals}f}"


def _change(price: Decimal, previous: Decimal) -> str:
    change = (price - previous) / previous * 100
    return f"{change:.2f}"
