"""Histories as Twelve Data tells them: its `/time_series`. Pure.

Source: the page "Time series" of its API documentation. Its prices are adjusted for splits.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contracts.history import MAX_POINTS, HistoryKey, HistoryRange, Interval, PriceHistory
from workers.quotes.currencies import in_whole_units
from workers.quotes.history_bars import FIELDS, Bar, believed, points_of
from workers.quotes.provider import FoundHistory, HistoryAnswer, NoPrice, NotFound
from workers.quotes.values import DELAY_MINUTES, currency_of, positive_text, volume_of

_INTERVALS: dict[Interval, str] = {
    "5m": "5min",
    "15m": "15min",
    "30m": "30min",
    "1h": "1h",
    "1d": "1day",
    "1wk": "1week",
    "1mo": "1month",
}
_DAYS: dict[HistoryRange, int] = {
    "1d": 7,
    "5d": 14,
    "1mo": 31,
    "6mo": 183,
    "1y": 366,
    "5y": 1_827,
    "max": 36_525,
}
"""How far back is asked; of the shortest ranges further, as markets may have been closed."""
_SESSIONS: dict[HistoryRange, int] = {"1d": 1, "5d": 5}


def series_query(name: str, key: HistoryKey, now: datetime) -> dict[str, str]:
    """What is asked of it for a symbol, which it calls `name`."""
    start = date(now.year, 1, 1) if key.range == "ytd" else None
    start = start or (now - timedelta(days=_DAYS[key.range])).date()
    return {
        "symbol": name,
        "interval": _INTERVALS[key.interval],
        "start_date": start.isoformat(),
        "order": "ASC",
        "outputsize": str(MAX_POINTS),
    }


def read_series(
    answer: dict[str, Any], key: HistoryKey, *, source: str, now: datetime
) -> HistoryAnswer:
    """The history in an answer that is no error of the whole call."""
    if answer.get("status") == "error":
        return NotFound() if answer.get("code") == 404 else NoPrice("an error")
    match answer:
        case {"meta": dict(meta), "values": list(values)}:
            pass
        case _:
            return NoPrice("no values")
    if str(meta.get("symbol", "")).upper() != key.symbol.partition(".")[0]:
        return NoPrice("another symbol than asked")
    unit = currency_of(meta.get("currency"))
    zone = _zone(meta.get("exchange_timezone"))
    if unit is None or zone is None:
        return NoPrice("no currency or time zone that is known")
    bars = believed(bar for value in values if (bar := _bar(value, zone)))
    history = PriceHistory(
        symbol=key.symbol,
        name=key.symbol,
        range=key.range,
        interval=key.interval,
        currency=in_whole_units(Decimal(1), unit)[1],
        quoted_unit=unit,
        previous_close=None,
        points=points_of(_newest(bars, zone, key), key, unit),
        fetched_at=now,
        delay_minutes=DELAY_MINUTES,
        source=source,
    )
    return FoundHistory(history, None)


def _newest(bars: list[Bar], zone: ZoneInfo, key: HistoryKey) -> list[Bar]:
    """The bars of the newest sessions, where a range is of sessions."""
    days = sorted({bar.time.astimezone(zone).date() for bar in bars})
    first = days[-min(_SESSIONS.get(key.range, len(days)), len(days))] if days else None
    return [bar for bar in bars if first is None or bar.time.astimezone(zone).date() >= first]


def _bar(value: Any, zone: ZoneInfo) -> Bar | None:
    if not isinstance(value, dict) or not isinstance(value.get("datetime"), str):
        return None
    try:
        time = datetime.fromisoformat(value["datetime"])
    except ValueError:
        return None
    local = time if time.tzinfo else time.replace(tzinfo=zone)
    prices = {name: positive_text(value.get(name)) for name in FIELDS}
    return Bar(local.astimezone(UTC), volume=volume_of(value.get("volume")), **prices)


def _zone(name: Any) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (ValueError, LookupError, OSError):  # also what is no name at all, or a folder
        return None
