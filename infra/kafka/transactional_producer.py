"""Records and the offset that they were made of, written in one Kafka transaction.

A transactional id belongs to one partition that is consumed. Whoever opens it last is alone: the
broker ends what an earlier owner has left open, and refuses whatever that one sends later.
"""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from infra.kafka.aiokafka_internals import is_in_transaction, retrieve_transaction_error
from infra.kafka.connection import producer_options
from infra.kafka.records import Place
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

Headers = list[tuple[str, bytes | None]]
Draft = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record to be written."""

OPEN_SECONDS = 15.0
WRITE_SECONDS = 30.0
CLOSE_SECONDS = 1.0
TRANSACTION_MS = 45_000
"""After so long the broker itself ends what a killed process has left open."""


class TransactionError(Exception):
    """The transaction was not confirmed: it may have been committed or not."""


class TransactionalWriter:
    """Writes records made of one partition, and commits its offset with them."""

    def __init__(self, producer: AIOKafkaProducer, group: str) -> None:
        self._producer = producer
        self._group = group

    @classmethod
    async def open(
        cls, settings: KafkaSettings, *, client_id: str, group: str, place: Place
    ) -> "TransactionalWriter":
        """Become the only writer for this partition. Raises `TransactionError`.

        On return, every transaction of an earlier writer has either been committed or never will.
        """
        topic, partition = place
        producer = AIOKafkaProducer(
            **producer_options(settings, client_id),
            transactional_id=f"{group}/{topic}/{partition}",
            transaction_timeout_ms=TRANSACTION_MS,
        )
        writer = cls(producer, group)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await producer.start()
                await producer.begin_transaction()  # waits until the broker has made it the owner
        except (KafkaError, OSError, TimeoutError) as error:
            await writer.close()
            raise TransactionError(f"not opened: {type(error).__name__}") from error
        except BaseException:
            await writer.close()
            raise
        return writer

    async def write(
        self, topic: str, drafts: Sequence[Draft], *, place: Place, offset: int, note: str
    ) -> None:
        """Append the drafts and commit the offset, all or nothing. Raises `TransactionError`.

        After an error the writer is of no more use: close it.
        """
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                if not is_in_transaction(self._producer):
                    await self._producer.begin_transaction()
                await self._append(topic, drafts)
                await self._producer.send_offsets_to_transaction(
                    {TopicPartition(*place): (offset, note)}, self._group
                )
                await self._producer.commit_transaction()
        except (KafkaError, OSError, TimeoutError) as error:
            raise TransactionError(type(error).__name__) from error

    async def close(self) -> None:
        """Give up whatever is open, and never fail: the next writer sees to what is left open."""
        stopping = asyncio.ensure_future(self._producer.stop())
        await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
        elif not stopping.cancelled() and (error := stopping.exception()):
            log.debug("writer_not_closed", error=repr(error))
        if error := retrieve_transaction_error(self._producer):
            log.debug("transaction_not_committed", error=repr(error))

    async def _append(self, topic: str, drafts: Sequence[Draft]) -> None:
        """In order; the next batch is filled while the one before is on its way."""
        sent = []
        remaining = list(drafts)
        while remaining:
            batch = self._producer.create_batch()
            taken = 0
            for key, value, headers in remaining:
                if not batch.append(timestamp=None, key=key, value=value, headers=headers):
                    break
                taken += 1
            batch.close()
            sent.append(await self._producer.send_batch(batch, topic, partition=0))
            remaining = remaining[taken:]
        await asyncio.gather(*sent)
