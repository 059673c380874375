"""Price histories that the gateway knows without a command: those on the cache server."""

from collections.abc import Sequence
from functools import lru_cache

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis

from contracts.history import CachedHistory, HistoryKey
from infra.redis.best_effort_client import BestEffortClient

log = structlog.get_logger(__name__)

CACHE_SECONDS = 0.5
REMEMBERED = 512
MAX_HISTORY_BYTES = 256 * 1024
"""Of a cached history, which has some tens of thousands; a longer one is not parsed."""


class HistoryCache:
    """Reads histories. Never raises: what cannot be read is not known."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._cache_client = BestEffortClient("known histories", seconds=CACHE_SECONDS)

    async def get(self, keys: Sequence[HistoryKey]) -> dict[HistoryKey, CachedHistory]:
        """Those of the histories that there are, fresh or not."""
        if not keys:
            return {}
        values = await self._cache_client.ask(
            lambda: self._redis.mget([key.cache_key for key in keys])
        )
        return {
            key: entry
            for key, value in zip(keys, values or [], strict=False)
            if value and len(value) <= MAX_HISTORY_BYTES and (entry := _entry(value))
        }


@lru_cache(REMEMBERED)
def _entry(value: bytes | str) -> CachedHistory | None:
    """Popular ones are read often, and written once a minute."""
    try:
        return CachedHistory.model_validate_json(value)
    except ValidationError:
        log.warning("cache_entry_unreadable", kind=CachedHistory.__name__)
        return None
