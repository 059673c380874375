"""The sliding windows in the cache server: one trip for all that ask in the meantime."""

import asyncio
from collections.abc import Awaitable, Sequence
from importlib.resources import files

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.rate_limit.window import SPARED, Check, Count
from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

AWAY = (RedisError, OSError, TimeoutError)
ANSWER_SECONDS = 0.3
"""How long a request waits for the cache server before its process counts for itself."""
SECOND_LOOK_SECONDS = 0.05
AGAIN_SECONDS = 1.0
REQUESTS_A_TRIP = 128

TRIPS = Counter("qnt9_gateway_limit_trips_total", "Trips to the cache server, by end", ["end"])

_GIVE_BACK = """
local latest = 0
for _, start in ipairs(redis.call('HKEYS', KEYS[1])) do latest = math.max(latest, start) end
if latest > 0 and redis.call('HINCRBY', KEYS[1], latest, -1) <= 0 then
    redis.call('HDEL', KEYS[1], latest)
end
"""

Waiting = tuple[Sequence[Check], asyncio.Future[list[Count] | None]]


class SharedWindows:
    """Whoever asks in one turn of the event loop, or while a trip is under way, shares the next."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        source = (files("gateway.rate_limit") / "window.lua").read_text(encoding="utf-8")
        self._script = redis.register_script(source)
        self._give_back = redis.register_script(_GIVE_BACK)
        self._waiting: list[Waiting] = []
        self._travelling: asyncio.Task[None] | None = None
        self._away_until = 0.0

    async def take(self, checks: Sequence[Check]) -> list[Count] | None:
        """Count one request. None when the cache server cannot say: it is away, slow or ill."""
        if self._is_away:
            return None
        answer: asyncio.Future[list[Count] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((checks, answer))
        if self._travelling is None:
            # A task begins in the next turn: whoever asks in this one comes along.
            self._travelling = asyncio.create_task(self._travel())
        return await answer

    async def forget(self, key: str, *, known: str, seconds: int) -> None:
        """What was tried has succeeded: begin anew, and know who it was. Best effort."""
        if self._is_away:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._redis.pipeline() as pipe:
                pipe.delete(key)
                pipe.set(known, 1, ex=seconds)
                await pipe.execute()
        except AWAY as error:
            log.warning("limit_not_reset", error=type(error).__name__)

    async def give_back(self, key: str) -> None:
        """What was counted last was not tried after all. Best effort."""
        if self._is_away:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._give_back([key])
        except AWAY as error:
            log.warning("limit_not_refunded", error=type(error).__name__)

    @property
    def _is_away(self) -> bool:
        return self._away_until > asyncio.get_running_loop().time()

    async def _travel(self) -> None:
        try:
            while self._waiting:
                asking, self._waiting = (
                    self._waiting[:REQUESTS_A_TRIP],
                    self._waiting[REQUESTS_A_TRIP:],
                )
                await self._trip(asking)
        finally:
            self._travelling = None
            _report_none(self._waiting)
            self._waiting = []

    async def _trip(self, asking: list[Waiting]) -> None:
        keys: list[str] = []
        arguments: list[int] = []
        for checks, _ in asking:
            arguments.append(len(checks))
            for check in checks:
                keys.append(check.key)
                if check.unless:
                    keys.append(check.unless)
                arguments += (check.most, check.seconds * 1_000, 1 if check.unless else 0)
        try:
            numbers = await self._answer(keys, arguments)
            at = 0
            for checks, answer in asking:
                places = range(at, at := at + 3 * len(checks), 3)
                counts = [_count(*numbers[i : i + 3]) for i in places]
                if not answer.done():
                    answer.set_result(counts)
            TRIPS.labels("answered").inc()
        except AWAY as error:
            self._without(asking, error)
        finally:
            _report_none(asking)

    async def _answer(self, keys: list[str], arguments: list[int]) -> list[int]:
        """Raises `TimeoutError`, but not for an answer that is here while this process was busy."""
        script: Awaitable[list[int]] = self._script(keys, arguments)
        asking = asyncio.ensure_future(script)
        try:
            for seconds in (ANSWER_SECONDS, SECOND_LOOK_SECONDS):
                await asyncio.wait({asking}, timeout=seconds)
                if asking.done():
                    return asking.result()
        finally:
            asking.cancel()
        raise TimeoutError

    def _without(self, asking: list[Waiting], error: BaseException) -> None:
        """Nobody else waits for a server that does not answer; one trip a second tries again."""
        TRIPS.labels("failed").inc()
        log.warning("limits_counted_locally", error=kind_of(error))
        self._away_until = asyncio.get_running_loop().time() + AGAIN_SECONDS
        _report_none([*asking, *self._waiting])
        self._waiting = []


def _report_none(asking: list[Waiting]) -> None:
    for _, answer in asking:
        if not answer.done():
            answer.set_result(None)


def _count(refused: int, remaining: int, milliseconds: int) -> Count:
    if refused < 0:
        return SPARED
    return Count(refused == 1, remaining, milliseconds / 1_000)
