"""Quotes, histories and searches on the cache server, where the gateway finds them. Best effort."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from contracts.history import CachedHistory, HistoryKey
from contracts.quotes import DISPLAYED_OVER_A_WEEKEND, CachedQuote, cache_key
from contracts.securities import Found, search_key
from infra.redis.best_effort_client import BestEffortClient

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 0.5
MAX_REMEMBERED = 256

M = TypeVar("M", bound=BaseModel)


class QuoteCache:
    """Never raises, never takes long: away, it holds nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._cache_client = BestEffortClient("quotes", seconds=ANSWER_SECONDS)

    async def get(self, symbols: Sequence[str]) -> dict[str, CachedQuote]:
        """What is there of these."""
        values = await self._cache_client.ask(
            lambda: self._redis.mget([cache_key(symbol) for symbol in symbols])
        )
        read = zip(symbols, values or [], strict=False)
        return {symbol: entry for symbol, v in read if (entry := _parse(CachedQuote, v))}

    async def put(self, entries: dict[str, CachedQuote]) -> None:
        """A quote is kept long after it is fresh, to be shown while its provider fails."""
        pipeline = self._redis.pipeline(transaction=False)
        for symbol, entry in entries.items():
            until = entry.fresh_until
            if entry.quote:
                until = max(until, entry.quote.fetched_at + DISPLAYED_OVER_A_WEEKEND)
            pipeline.set(cache_key(symbol), entry.model_dump_json(), pxat=until)
        await self._cache_client.ask(pipeline.execute)

    async def get_search(self, text: str) -> Found | None:
        """Return what was found for a text, None where that is not known."""
        return _parse(
            Found, await self._cache_client.ask(lambda: self._redis.get(search_key(text)))
        )

    async def put_search(self, text: str, found: Found, kept: timedelta) -> None:
        """Keep what was found for a text, for as long as `kept`. Best effort."""
        value = found.model_dump_json()
        await self._cache_client.ask(lambda: self._redis.set(search_key(text), value, px=kept))


class HistoryCache:
    """Histories by key. Never raises, never takes long.

    While the cache server is away, the newest of this process stand in for it: nothing else keeps
    histories.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._cache_client = BestEffortClient("histories", seconds=ANSWER_SECONDS)
        self._remembered: dict[HistoryKey, CachedHistory] = {}

    async def get(self, keys: Sequence[HistoryKey]) -> dict[HistoryKey, CachedHistory]:
        """Those of the histories that there are, fresh or not."""
        values = await self._cache_client.ask(
            lambda: self._redis.mget([key.cache_key for key in keys])
        )
        if values is None:
            return {key: self._remembered[key] for key in keys if key in self._remembered}
        read = zip(keys, values, strict=True)
        return {key: entry for key, value in read if (entry := _parse(CachedHistory, value))}

    async def put(self, entries: Mapping[HistoryKey, CachedHistory]) -> None:
        """Kept long after they are fresh, to be shown while their provider fails."""
        pipeline = self._redis.pipeline(transaction=False)
        for key, entry in entries.items():
            until = max(entry.fresh_until, entry.history.fetched_at + DISPLAYED_OVER_A_WEEKEND)
            pipeline.set(key.cache_key, entry.model_dump_json(), pxat=until)
            self._remembered.pop(key, None)
            self._remembered[key] = entry
        while len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        await self._cache_client.ask(pipeline.execute)


def until_fresh(entry: CachedQuote | CachedHistory, now: datetime) -> bool:
    """Whether nobody needs to be asked."""
    return entry.fresh_until > now


def _parse(kind: type[M], value: Any) -> M | None:
    try:
        return kind.model_validate_json(value) if value else None
    except ValidationError:
        log.warning("cache_entry_unreadable", kind=kind.__name__)
        return None
