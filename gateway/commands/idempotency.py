"""Whether a request with an Idempotency-Key came before, over whichever gateway.

The cache server counts those with one command id; what it has forgotten is in the outcome's row.
A worker handles a command once whatever is found out here: this only says whether to wait for it.
"""

import asyncio
from functools import partial
from uuid import UUID

import structlog
from redis.asyncio import Redis

from contracts.topics import COMMAND_RETENTION, SEGMENT
from gateway import queries
from infra.postgres.pool import UNAVAILABLE
from infra.postgres.reads import Readable
from infra.redis.best_effort_client import BestEffortClient

log = structlog.get_logger(__name__)

RETENTION = COMMAND_RETENTION + SEGMENT
"""As long as a command may wait for its worker in Kafka; after that it has a row."""
CACHE_SECONDS = 1.0
ROW_SECONDS = 0.25

_Counting = tuple[UUID, int, asyncio.Future[int]]
"""A command, how many more have come, and how many that makes."""


class IdempotencyStore:
    """Never raises, and never waits for long: what nobody can tell is no repetition."""

    def __init__(self, redis: Redis, pool: Readable) -> None:
        self._redis = redis
        self._pool = pool
        self._cache_client = BestEffortClient("repetitions", seconds=CACHE_SECONDS)
        self._counting: list[_Counting] = []
        self._travelling: asyncio.Task[None] | None = None
        self._reading: set[asyncio.Task[bool]] = set()
        self._late: asyncio.Task[bool] | None = None

    async def came_before(self, command_id: UUID) -> bool:
        """Count one more; before its command is published."""
        return await self._count(command_id, 1) > 1 or await self._has_row(command_id)

    async def came_meanwhile(self, command_id: UUID) -> bool:
        """Whether others have begun since; after the broker has acknowledged the command.

        Whoever begins later is behind it in Kafka, so that it is the first.
        """
        return await self._count(command_id, 0) > 1

    async def _count(self, command_id: UUID, more: int) -> int:
        """Whoever asks while a trip is under way shares the next: a burst needs no time of its own.

        0 when the cache server does not answer.
        """
        count: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counting.append((command_id, more, count))
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return await count

    async def _travel(self) -> None:
        try:
            while self._counting:
                asked, self._counting = self._counting, []
                counts = None
                try:
                    counts = await self._cache_client.ask(partial(self._trip, asked))
                finally:
                    for i, (_, _, count) in enumerate(asked):
                        if not count.done():
                            count.set_result(counts[i] if counts else 0)
        finally:
            self._travelling = None

    async def _trip(self, asked: list[_Counting]) -> list[int]:
        async with self._redis.pipeline() as pipe:
            for command_id, more, _ in asked:
                pipe.incrby(_key(command_id), more)
                pipe.expire(_key(command_id), RETENTION)
            counts: list[int] = (await pipe.execute())[::2]
        return counts

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
            return bool(await queries.outcomes(self._pool, [command_id]))
        except UNAVAILABLE as error:
            log.warning("repetitions_not_read", error=type(error).__name__)
            return False


def _key(command_id: UUID) -> str:
    """An HMAC already, of address and Idempotency-Key; nothing of the body is here."""
    return f"qnt9:came:{command_id}"
