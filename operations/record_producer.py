"""Records to a topic exactly as they are given, acknowledged before anybody says so."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from infra.kafka.connection import producer_options
from infra.runtime.settings import KafkaSettings
from operations.errors import CutOffError
from operations.kafka_client import KafkaClient

ACK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Copy:
    """A record to be sent. Without a partition the key decides, as with Kafka's own clients."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int | None = None
    partition: int | None = None


class Sender(KafkaClient):
    """Sends with acks=all and idempotence, in order within each partition."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._spread = count()
        self._producer = AIOKafkaProducer(**producer_options(settings, "qnt9-ops"))
        super().__init__(settings, self._producer)

    async def send(self, topic: str, copies: Iterable[Copy]) -> None:
        """Returns when the broker has them all. Raises `CutOffError` when it may not have some."""
        try:
            async with asyncio.timeout(ACK_SECONDS):
                partitions = sorted(await self._producer.partitions_for(topic))
                queues: dict[int, list[Copy]] = {}
                for copy in copies:
                    queues.setdefault(self._partition(copy, partitions), []).append(copy)
                await asyncio.gather(
                    *(self._in_order(topic, number, queue) for number, queue in queues.items())
                )
        except (KafkaError, TimeoutError) as error:
            raise CutOffError(topic, error) from error

    def _partition(self, copy: Copy, partitions: list[int]) -> int:
        if copy.partition is not None:
            return copy.partition
        if copy.key is None:
            return partitions[next(self._spread) % len(partitions)]
        chosen: int = DefaultPartitioner()(copy.key, partitions, partitions)
        return chosen

    async def _in_order(self, topic: str, partition: int, copies: Sequence[Copy]) -> None:
        """One batch after the other; unlike a single record, a batch takes a null key and value."""
        while copies:
            batch: Any = self._producer.create_batch()
            taken = 0
            for copy in copies:
                if not batch.append(
                    timestamp=copy.timestamp_ms,
                    key=copy.key,
                    value=copy.value,
                    headers=list(copy.headers),
                ):
                    break
                taken += 1
            batch.close()
            await (await self._producer.send_batch(batch, topic, partition=partition))
            copies = copies[taken:]
