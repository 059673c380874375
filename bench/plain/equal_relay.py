"""The relay of the service with the system's duties: a task that publishes what the outbox has."""

import asyncio
from typing import Protocol

import orjson

from bench.plain import equal_store as store
from infra.kafka.producer import BrokerUnavailableError
from infra.postgres.pool import Pool

TOPIC = "bench.events"
ROWS = 500
AGAIN_SECONDS = 0.5


class Sends(Protocol):
    """What the relay needs of a producer."""

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
    ) -> asyncio.Future[object]: ...


class Relay:
    """Publishes in the order of the outbox, and marks what Kafka has acknowledged."""

    def __init__(self, pool: Pool, producer: Sends) -> None:
        self._pool = pool
        self._producer = producer
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """There is something to publish."""
        self._woken.set()

    async def run(self) -> None:
        """Without end. What fails is tried again."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                while await self.publish() == ROWS:
                    pass
            except BrokerUnavailableError:
                await asyncio.sleep(AGAIN_SECONDS)
                self._woken.set()

    async def publish(self) -> int:
        """One batch; how many events it had."""
        rows = await store.unpublished(self._pool, ROWS)
        acknowledged = [
            await self._producer.send(
                TOPIC,
                key=row["key"].encode(),
                value=row["payload"].encode(),
                headers=[(n, v.encode()) for n, v in orjson.loads(row["headers"]).items()],
            )
            for row in rows
        ]
        if rows:
            await asyncio.gather(*acknowledged)
            await store.mark_published(self._pool, [row["seq"] for row in rows])
        return len(rows)
