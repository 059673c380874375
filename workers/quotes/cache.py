"""Quotes on the cache server, where the edge finds them. Best effort: the rows are what is kept."""

import asyncio
from datetime import datetime

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.quotes import CachedQuote, Quote, cache_key
from workers.quotes.rules import SHOWN_OVER_A_WEEKEND

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 0.5


class QuoteCache:
    """Never raises, never takes long: away, it holds nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, symbol: str) -> CachedQuote | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                value = await self._redis.get(cache_key(symbol))
            return CachedQuote.model_validate_json(value) if value else None
        except (RedisError, OSError, TimeoutError, ValidationError) as error:
            log.warning("quote_not_read_from_cache", error=type(error).__name__)
            return None

    async def put(self, symbol: str, quote: Quote | None, fresh_until: datetime) -> None:
        """A quote is kept long after it is fresh, to be shown while its provider fails."""
        entry = CachedQuote(quote=quote, fresh_until=fresh_until)
        until = fresh_until + SHOWN_OVER_A_WEEKEND if quote else fresh_until
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._redis.set(cache_key(symbol), entry.model_dump_json(), pxat=until)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("quote_not_cached", error=type(error).__name__)
