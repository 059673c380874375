"""What the processes tell each other of a provider's circuit.

Best effort, never long: with the cache server away each process decides alone.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from typing import TypeVar

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.runtime.clock import CLOCK
from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

SHARE_SECONDS = 0.5
PROBE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Opening:
    """Until when a circuit is open (seconds since the epoch), and whether the provider asked so.

    `seconds` is how long the provider was to be left alone; the next time it is twice that.
    """

    until: float = 0.0
    limited: bool = False
    seconds: float = 0.0


class SharedCircuit:
    """One provider's circuit on the cache server: its opening, and who probes when that is over."""

    def __init__(self, redis: Redis, provider: str) -> None:
        self._redis = redis
        self._opening = f"qnt9:circuit:{provider}"
        self._probe = f"{self._opening}:probe"

    async def opening(self) -> Opening | None:
        """Return the opening that holds now, if one does."""
        value = await self._try(self._redis.get(self._opening))
        try:
            opening = Opening(**orjson.loads(value)) if value else None
            return opening if opening and opening.until > CLOCK.time() else None
        except (TypeError, ValueError):
            log.warning("shared_circuit_unreadable")
            return None

    async def open(self, opening: Opening) -> None:
        """Share that the circuit is open. Best effort: without the cache server it is not."""
        until = int(opening.until * 1000)
        await self._try(self._redis.set(self._opening, orjson.dumps(asdict(opening)), pxat=until))

    async def elected(self) -> bool:
        """Return whether this process is to probe. True also while the cache server is away."""
        try:
            async with asyncio.timeout(SHARE_SECONDS):
                return bool(await self._redis.set(self._probe, b"1", nx=True, ex=PROBE_SECONDS))
        except (RedisError, OSError, TimeoutError):
            return True

    async def probed(self, *, closed: bool) -> None:
        """Note that the probe is over. A closed circuit is closed for everybody."""
        keys = (self._probe, self._opening) if closed else (self._probe,)
        await self._try(self._redis.delete(*keys))

    async def _try(self, asked: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(SHARE_SECONDS):
                return await asked
        except (RedisError, OSError, TimeoutError) as error:
            log.info("circuit_not_shared", error=kind_of(error))
            return None
