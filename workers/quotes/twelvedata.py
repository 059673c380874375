"""Twelve Data over HTTP: a provider with a key, asked when the first one fails.

`GET /quote?symbol=AAPL,SAP:XETR`, the key in the header `Authorization: apikey …`. One symbol's
answer stands by itself, several are filed under the names that were asked for. Histories are
`GET /time_series`. Errors are JSON, `{"status": "error", "code": 404, …}`, with status 200 or their
own.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from contracts.history import HistoryKey
from contracts.quotes import Quote
from infra.resilience.policies import RateLimitedError
from infra.resilience.retry_after import seconds_of
from infra.runtime.clock import CLOCK
from workers.quotes.currencies import in_whole_units
from workers.quotes.http_client import Timeouts, get, open_http
from workers.quotes.provider import (
    Answer,
    Found,
    HistoryAnswer,
    MalformedError,
    NoPrice,
    NotFound,
    UnavailableError,
)
from workers.quotes.replies import Reply, read_json
from workers.quotes.twelvedata_series import read_series, series_query
from workers.quotes.values import (
    DELAY_MINUTES,
    change_of,
    currency_of,
    name_of,
    positive_text,
    text_of,
    time_of,
)

NAME = "twelvedata"
EXCHANGES = {
    "DE": "XETR",
    "L": "LSE",
    "PA": "XPAR",
    "AS": "XAMS",
    "SW": "XSWX",
    "MI": "XMIL",
    "MC": "XMAD",
    "ST": "XSTO",
    "CO": "XCSE",
    "T": "XJPX",
    "HK": "XHKG",
    "TO": "TSX",
    "AX": "ASX",
    "JO": "XJSE",
    "TA": "XTAE",
}
"""Yahoo's suffixes, and what stands behind the colon here."""


def name_at(symbol: str) -> str | None:
    """A symbol of ours as this provider writes it; None for what it cannot be asked."""
    stem, dot, suffix = symbol.partition(".")
    if not stem.replace("-", "").isalnum() or (dot and suffix not in EXCHANGES):
        return None
    return f"{stem}:{EXCHANGES[suffix]}" if dot else stem


def read_quotes(reply: Reply, asked: dict[str, str], now: datetime) -> dict[str, Answer]:
    """Of each symbol, asked under the name beside it. Raises as `read_json`."""
    answer = read_json(reply, now)
    refuse(answer, reply, now, alone=len(asked) == 1)
    if len(asked) == 1:
        (symbol,) = asked
        return {symbol: _read(answer, symbol, now)}
    return {symbol: _read(answer.get(name), symbol, now) for symbol, name in asked.items()}


def refuse(answer: dict[str, Any], reply: Reply, now: datetime, *, alone: bool) -> None:
    """What is said of the whole call. A symbol that is not known is no failure."""
    code = answer.get("code") if answer.get("status") == "error" else None
    if code is None:
        if reply.status != 200:
            raise UnavailableError(f"status {reply.status}")
        return
    if code == 429:
        raise RateLimitedError(seconds_of(reply.retry_after, now))
    if code == 404 and alone:
        return
    if type(code) is int and code >= 500:
        raise UnavailableError(f"error {code}")
    raise MalformedError(f"error {code}")


def _read(row: Any, symbol: str, now: datetime) -> Answer:
    if not isinstance(row, dict):
        return NoPrice("nothing is said of it")
    if row.get("status") == "error":
        return NotFound() if row.get("code") == 404 else NoPrice("an error")
    if str(row.get("symbol", "")).upper() != symbol.partition(".")[0]:
        return NoPrice("another symbol than asked")
    unit = currency_of(row.get("currency"))
    price = positive_text(row.get("close"))
    as_of = time_of(row.get("last_quote_at")) or time_of(row.get("timestamp"))
    if unit is None or price is None or as_of is None:
        return NoPrice("no currency, price or time")
    price, currency = in_whole_units(price, unit)
    previous = positive_text(row.get("previous_close"))
    if previous is not None:
        previous, _ = in_whole_units(previous, unit)
    quote = Quote(
        symbol=symbol,
        name=name_of(row.get("name")) or symbol,
        price=text_of(price),
        currency=currency,
        quoted_unit=unit,
        previous_close=None if previous is None else text_of(previous),
        change_percent=None if previous is None else change_of(price, previous),
        market_state="regular" if row.get("is_market_open") is True else "closed",
        as_of=as_of,
        fetched_at=now,
        delay_minutes=DELAY_MINUTES,
        source=NAME,
    )
    return Found(quote, None)


@dataclass(frozen=True)
class TwelveData:
    """One call an answer. Of a symbol that it cannot be asked it has no price."""

    http: httpx.AsyncClient
    name: str = NAME
    most: int = 8
    most_sparklines: int = 1

    async def quotes(self, symbols: Sequence[str]) -> dict[str, Answer]:
        answers: dict[str, Answer] = dict.fromkeys(symbols, NoPrice("not written here"))
        if asked := {symbol: name for symbol in symbols if (name := name_at(symbol))}:
            reply = await get(self.http, "/quote", {"symbol": ",".join(asked.values())})
            answers |= read_quotes(reply, asked, CLOCK.now())
        return answers

    async def histories(self, keys: Sequence[HistoryKey]) -> dict[str, HistoryAnswer]:
        """One alone in each call."""
        [key] = keys
        name = name_at(key.symbol)
        if name is None:
            return {key.symbol: NoPrice("not written here")}
        now = CLOCK.now()
        reply = await get(self.http, "/time_series", series_query(name, key, now))
        answer = read_json(reply, now)
        refuse(answer, reply, now, alone=True)
        return {key.symbol: read_series(answer, key, source=NAME, now=now)}

    async def splits(self, symbol: str) -> Sequence[Decimal]:  # noqa: ARG002  # the port's
        """It is asked when another fails, for prices alone: it never explains a jump."""
        return ()


@asynccontextmanager
async def open_twelvedata(
    url: str, key: str, *, timeouts: Timeouts | None = None
) -> AsyncIterator[TwelveData]:
    """Open the provider, and close its connections on leaving the block."""
    headers = {"Authorization": f"apikey {key}"}
    async with open_http(url, timeouts or Timeouts(), headers=headers, trust_env=True) as http:
        yield TwelveData(http)
