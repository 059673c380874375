"""How FastStream is made to fetch and commit for the consumer shell."""

from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus

from infra.kafka.batch_fetcher import BatchFetcher, BatchFetchingConsumer
from infra.messaging.batch_progress import Batch

log = structlog.get_logger(__name__)


class Fetched(KafkaAckableMessage):
    """A fetch. What of it is finished is committed, whatever becomes of the rest."""

    def __init__(
        self, *args: Any, batch: Batch, commit: Callable[[Batch], Any], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.batch = batch
        self._commit = commit

    async def ack(self) -> None:
        """Commit what is finished. Idempotent."""
        if not self.committed:
            await self._commit(self.batch)
            self.committed = AckStatus.ACKED

    async def nack(self) -> None:
        """What is finished was committed before; the rest is fetched again."""
        if not self.committed:
            for place, offset in self.batch.reached().items():
                self.consumer.seek(TopicPartition(*place), offset)
            self.committed = AckStatus.NACKED


class DrainFirst(ConsumerRebalanceListener):
    """Partitions are given up when the batch in hand is done and committed."""

    def __init__(self, revoked: Callable[[], Any]) -> None:
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002
        """Wait until nothing of these partitions is in hand."""
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Log the partitions that this consumer has from now on."""
        log.info(
            "partitions_assigned", partitions=sorted(f"{p.topic}:{p.partition}" for p in assigned)
        )


def builder(options: dict[str, Any], touch: Callable[[], None]) -> Callable[..., AIOKafkaConsumer]:
    """Return the function with which FastStream makes its consumer: one that fetches in batches."""

    def build(**connection: Any) -> AIOKafkaConsumer:
        consumer = BatchFetchingConsumer(**(connection | options))
        consumer.batch_fetcher = BatchFetcher(touch)
        return consumer

    return build


async def batch_of(message: Fetched) -> Batch:
    """Return the batch of a fetch, which is what the subscriber gets."""
    return message.batch
