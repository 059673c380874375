"""Quotes and searches known without a command: from the cache server, else from the database.

While the cache server is away, what this process learned itself (that a symbol is unknown, or why
its quote is stale) stands in for it.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import TypeVar

import asyncpg
import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from contracts.quotes import CachedQuote, Quote, cache_key
from contracts.securities import Found, search_key
from gateway import queries
from infra.postgres.pool import UNAVAILABLE
from infra.postgres.reads import Readable
from infra.redis.best_effort_client import BestEffortClient

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=BaseModel)

CACHE_SECONDS = 0.25
ROW_FRESH = timedelta(seconds=60)
REMEMBERED = 10_000
MAX_QUOTE_BYTES = 4_096
"""Of a cached quote, which has some hundreds; a longer one is not parsed, nor remembered."""
MAX_FOUND_BYTES = 65_536


class QuoteCache:
    """Never raises: what cannot be read is not known."""

    def __init__(self, redis: Redis, pool: Readable) -> None:
        self._redis = redis
        self._pool = pool
        self._remembered: dict[str, CachedQuote] = {}
        self._cache_client = BestEffortClient("known quotes", seconds=CACHE_SECONDS)

    async def quotes(self, symbols: Sequence[str]) -> dict[str, CachedQuote]:
        """What there is of these, fresh or not."""
        if not symbols:
            return {}
        values = await self._cache_client.ask(
            lambda: self._redis.mget([cache_key(s) for s in symbols])
        )
        read = zip(symbols, values or [], strict=False)
        known = {
            symbol: entry
            for symbol, v in read
            if v and len(v) <= MAX_QUOTE_BYTES and (entry := _quote(v))
        }
        missing = [symbol for symbol in symbols if symbol not in known]
        if missing:
            rows = await self._rows(missing)
            remembered = self._remembered if values is None else {}
            for symbol in missing:
                if entry := _newer(remembered.get(symbol), rows.get(symbol)):
                    known[symbol] = entry
        return known

    def remember(self, symbol: str, entry: CachedQuote | None) -> None:
        """What a worker said; None for a new quote, which is a row. Bounded; the oldest goes."""
        self._remembered.pop(symbol, None)
        if entry:
            self._remembered[symbol] = entry
        if len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    async def search(self, text: str) -> Found | None:
        value = await self._cache_client.ask(lambda: self._redis.get(search_key(text)))
        return _parse(Found, value) if value and len(value) <= MAX_FOUND_BYTES else None

    async def _rows(self, symbols: Sequence[str]) -> dict[str, CachedQuote]:
        try:
            rows = await queries.last_quotes(self._pool, symbols)
        except UNAVAILABLE as error:
            log.warning("last_quotes_unavailable", error=type(error).__name__)
            return {}
        return {row["symbol"]: entry for row in rows if (entry := _row(row))}


def _newer(remembered: CachedQuote | None, row: CachedQuote | None) -> CachedQuote | None:
    """Of two the one with the newer quote; of the same quote what was said of it last."""
    if remembered is None or row is None:
        return remembered or row
    if remembered.quote is None or row.quote is None:
        return remembered
    return remembered if remembered.quote.fetched_at >= row.quote.fetched_at else row


def _row(row: asyncpg.Record) -> CachedQuote | None:
    try:
        return CachedQuote(
            quote=Quote.model_validate(row["quote"]),
            fresh_until=row["fresh_until"] or row["fetched_at"] + ROW_FRESH,
        )
    except ValidationError:
        log.warning("quote_row_unreadable", symbol=row["symbol"][:64])
        return None


@lru_cache(REMEMBERED)
def _quote(value: bytes | str) -> CachedQuote | None:
    """Popular ones are read often, and written once a minute."""
    return _parse(CachedQuote, value)


def _parse(kind: type[M], value: bytes | str | None) -> M | None:
    if value is None:
        return None
    try:
        return kind.model_validate_json(value)
    except ValidationError:
        log.warning("cache_entry_unreadable", kind=kind.__name__)
        return None
