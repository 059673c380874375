"""Reads of the cache that are asked for in one turn of the event loop go in one round trip."""

import asyncio

from redis.asyncio import Redis


class SharedTrips:
    """One MGET for all the keys that are wanted at the same moment."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wanted: dict[str, asyncio.Future[bytes | None]] = {}
        self._trips: set[asyncio.Task[None]] = set()

    async def one(self, key: str) -> bytes | None:
        return await self._ask(key)

    async def many(self, keys: list[str]) -> list[bytes | None]:
        futures = [self._ask(key) for key in keys]
        return [await future for future in futures]

    def _ask(self, key: str) -> asyncio.Future[bytes | None]:
        future = self._wanted.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._wanted:
                loop.call_soon(self._depart)
            future = self._wanted[key] = loop.create_future()
        return future

    def _depart(self) -> None:
        wanted, self._wanted = self._wanted, {}
        task = asyncio.get_running_loop().create_task(self._trip(wanted))
        self._trips.add(task)
        task.add_done_callback(self._trips.discard)

    async def _trip(self, wanted: dict[str, asyncio.Future[bytes | None]]) -> None:
        try:
            values: list[bytes | None] = await self._redis.mget(list(wanted))  # type: ignore[assignment]  # bytes, unless asked to decode
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            for future in wanted.values():
                future.set_exception(error)
            return
        for future, value in zip(wanted.values(), values, strict=True):
            if not future.done():
                future.set_result(value)
