"""Questions to the cache server that can do without an answer: bounded, few while it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

AWAY_SECONDS = 1.0


class BestEffortClient:
    """One way to the cache server. `purpose` is what the log says of its absence."""

    def __init__(self, purpose: str, *, seconds: float) -> None:
        self._purpose = purpose
        self._seconds = seconds
        self._away_until = 0.0

    async def ask(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Return the answer, or None.

        After a failure one question a second tries the server again.
        """
        now = asyncio.get_running_loop().time()
        if now < self._away_until:
            return None
        was_away = bool(self._away_until)
        if was_away:
            self._away_until = now + AWAY_SECONDS
        try:
            async with asyncio.timeout(self._seconds):
                value = await ask()
        except (RedisError, OSError, TimeoutError) as error:
            if not was_away:
                log.warning("cache_away", purpose=self._purpose, error=kind_of(error))
            self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
            return None
        if was_away:
            log.info("cache_back", purpose=self._purpose)
        self._away_until = 0.0
        return value
