"""Whether a request with an Idempotency-Key came before, over whichever gateway.

The cache server counts those with one command id; what it has forgotten is in the outcome's row.
A worker handles a command once whatever is found out here: this only says whether to wait for it.
"""

import asyncio
from uuid import UUID

import structlog
from redis.asyncio import Redis

from contracts.topics import COMMAND_RETENTION, SEGMENT
from gateway import views
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.redis.reach import Reach

log = structlog.get_logger(__name__)

KEPT = COMMAND_RETENTION + SEGMENT
"""As long as a command may wait for its worker in Kafka; after that it has a row."""
CACHE_SECONDS = 0.5
ROW_SECONDS = 0.25


class Repetitions:
    """Never raises, and never waits for long: what nobody can tell is no repetition."""

    def __init__(self, redis: Redis, pool: Pool) -> None:
        self._redis = redis
        self._pool = pool
        self._reach = Reach("repetitions", seconds=CACHE_SECONDS)
        self._reading: set[asyncio.Task[bool]] = set()
        self._late: asyncio.Task[bool] | None = None

    async def came_before(self, command_id: UUID) -> bool:
        """Count one more; before its command is published."""
        count = await self._reach.ask(lambda: self._count(command_id))
        return (count or 0) > 1 or await self._has_row(command_id)

    async def came_meanwhile(self, command_id: UUID) -> bool:
        """Whether others have begun since; after the broker has acknowledged the command.

        Whoever begins later is behind it in Kafka, so that it is the first.
        """
        count = await self._reach.ask(lambda: self._redis.get(_key(command_id)))
        return int(count or 0) > 1

    async def _count(self, command_id: UUID) -> int:
        async with self._redis.pipeline() as pipe:
            pipe.incr(_key(command_id))
            pipe.expire(_key(command_id), KEPT)
            count, _ = await pipe.execute()
        return int(count)

    async def _has_row(self, command_id: UUID) -> bool:
        """A read that hangs is left to itself; until it ends, nobody else waits for one."""
        if self._late and not self._late.done():
            return False
        reading = asyncio.create_task(self._read(command_id))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        done, _ = await asyncio.wait({reading}, timeout=ROW_SECONDS)
        if done:
            return reading.result()
        self._late = reading
        log.warning("repetitions_not_read", error="TimeoutError")
        return False

    async def _read(self, command_id: UUID) -> bool:
        try:
            return bool(await views.outcomes(self._pool, [command_id]))
        except UNAVAILABLE as error:
            log.warning("repetitions_not_read", error=type(error).__name__)
            return False


def _key(command_id: UUID) -> str:
    """An HMAC already, of address and Idempotency-Key; nothing of the body is here."""
    return f"qnt9:came:{command_id}"
