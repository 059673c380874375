"""An idempotent producer that comes up when the broker does and is made anew when it must be."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownProducerId,
)

from infra.kafka.connection import producer_options
from infra.kafka.partitioner import partition_by_key
from infra.runtime.backoff import Backoff
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

CONNECT_RETRY_SECONDS = (0.5, 10.0)
FLUSH_SECONDS = 5.0
HAND_OVER_SECONDS = 12.0
_FATAL = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)
_REFUSED = (MessageSizeTooLargeError, TopicAuthorizationFailedError)


class BrokerUnavailableError(Exception):
    """Nothing was sent: there is no broker to send to."""


class IndeterminateError(Exception):
    """The broker did not acknowledge in time; the record may or may not be in the topic."""


class RefusedError(Exception):
    """The broker will not take this, now or later."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be sent."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Producer:
    """Sends records with acks=all and idempotence; one a process."""

    def __init__(self, settings: KafkaSettings, *, client_id: str, linger_ms: int = 0) -> None:
        self._settings = settings
        self._client_id = client_id
        self._linger_ms = linger_ms
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._partitions: dict[str, list[int]] = {}
        self._waits: dict[AIOKafkaProducer, set[asyncio.Timeout]] = {}

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._connect())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connecting:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer:
            await _stop(self._producer)

    @property
    def connected(self) -> bool:
        """Whether there is a producer to hand records to; not whether the broker answers."""
        return self._producer is not None

    async def probe(self) -> None:
        """Ask the broker for what it has anyway to be asked for. Raises when it does not answer."""
        if self._producer is None:
            raise BrokerUnavailableError("not connected")
        if not await self._producer.client.force_metadata_update():
            raise BrokerUnavailableError("no metadata")

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]],
    ) -> asyncio.Future[object]:
        """Queue one record; the future is done when the broker has acknowledged it."""
        producer = self._producer
        if producer is None:
            raise BrokerUnavailableError
        sent: asyncio.Future[object]
        if key is None and value is None:  # which aiokafka takes in a batch alone
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=None, headers=list(headers))
            batch.close()
            partition = min(await producer.partitions_for(topic))
            sent = await producer.send_batch(batch, topic, partition=partition)
        else:
            sent = await producer.send(topic, value, key=key, headers=list(headers))
        return sent

    async def publish(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        seconds: float,
    ) -> None:
        """Send one record and wait for its acknowledgement.

        Raises `BrokerUnavailableError` when nothing was sent, `IndeterminateError` when nobody
        knows.
        """
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(await self.send(topic, key=key, value=value, headers=headers))
        except _REFUSED:
            raise
        except (TimeoutError, KafkaError) as error:
            self.renew_after(error)
            raise IndeterminateError(type(error).__name__) from error

    async def partition_of(self, topic: str, key: bytes) -> int:
        """Return the partition of records with this key, as Kafka's own clients choose it."""
        partitions = self._partitions.get(topic)
        if partitions is None:
            if self._producer is None:
                raise BrokerUnavailableError
            try:
                partitions = sorted(await self._producer.partitions_for(topic))
            except KafkaError as error:
                raise RefusedError(f"{topic}: {type(error).__name__}") from error
            self._partitions[topic] = partitions  # their number never changes
        return partition_by_key(key, partitions, partitions)

    async def publish_batch(
        self, topic: str, partition: int, records: Sequence[Outgoing], *, seconds: float
    ) -> int:
        """Send as many of the records, from the first on, as one batch holds: all or none of them.

        How many the broker has acknowledged. One batch at a time in a partition keeps the order,
        whatever fails. Raises `BrokerUnavailableError`, `IndeterminateError`, `RefusedError`.
        """
        try:
            async with asyncio.timeout(seconds):
                count, acknowledged = await self.enqueue_batch(topic, partition, records)
                await acknowledged
        except TimeoutError as error:
            raise IndeterminateError("not acknowledged in time") from error
        return count

    async def enqueue_batch(
        self, topic: str, partition: int, records: Iterable[Outgoing]
    ) -> tuple[int, asyncio.Future[None]]:
        """Queue as many of the records, from the first on, as one batch holds.

        How many, and a future that is done when the broker has them, or fails as `publish_head`
        does. Waits for the batch before it. Raises `BrokerUnavailableError`, `RefusedError`.
        """
        producer = self._producer
        if producer is None:
            raise BrokerUnavailableError
        batch = producer.create_batch()
        for record in records:
            if not batch.append(
                timestamp=None, key=record.key, value=record.value, headers=record.headers
            ):
                break
        batch.close()
        try:
            async with self._while_current(producer):
                sent = await producer.send_batch(batch, topic, partition=partition)
        except (KafkaTimeoutError, TimeoutError) as error:
            raise BrokerUnavailableError from error
        except KafkaError as error:
            raise self._evaluated(producer, topic, error) from error
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.add_done_callback(partial(self._settle, producer, topic, acknowledged))
        return batch.record_count(), acknowledged

    @asynccontextmanager
    async def _while_current(self, producer: AIOKafkaProducer) -> AsyncIterator[None]:
        """For a wait that would never end in a producer that was replaced.

        Raises `TimeoutError` when it is replaced, or after too long. Nothing was sent then.
        """
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS) as wait:
                self._waits.setdefault(producer, set()).add(wait)
                yield
        finally:
            self._waits[producer].discard(wait)
            if not self._waits[producer]:
                del self._waits[producer]

    def _settle(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        acknowledged: asyncio.Future[None],
        sent: asyncio.Future[object],
    ) -> None:
        error = None if sent.cancelled() else sent.exception()
        if isinstance(error, KafkaTimeoutError):
            error = IndeterminateError("not acknowledged in time")
        elif isinstance(error, KafkaError):
            error = self._evaluated(producer, topic, error)
        if acknowledged.done():
            return
        if sent.cancelled():
            acknowledged.cancel()
        elif error:
            acknowledged.set_exception(error)
        else:
            acknowledged.set_result(None)

    def _evaluated(self, producer: AIOKafkaProducer, topic: str, error: KafkaError) -> Exception:
        """What a failed batch means; the numbers of the producer's batches have a gap now."""
        self._renew(producer, error)
        if error.retriable or isinstance(error, _FATAL):
            return IndeterminateError(type(error).__name__)
        return RefusedError(f"{topic}: {type(error).__name__}")

    def renew_after(self, error: BaseException) -> None:
        """Replace the producer after an error that it cannot recover from."""
        if isinstance(error, _FATAL) and self._producer:
            self._renew(self._producer, error)

    def _renew(self, broken: AIOKafkaProducer, error: BaseException) -> None:
        if broken is self._producer:
            log.warning("producer_renewed", error=type(error).__name__)
            self._producer = None
            now = asyncio.get_running_loop().time()
            for wait in self._waits.get(broken, ()):
                wait.reschedule(now)
            self._connecting = asyncio.create_task(self._connect(replacing=broken))

    async def _connect(self, replacing: AIOKafkaProducer | None = None) -> None:
        if replacing:
            await _stop(replacing)
        backoff = Backoff(*CONNECT_RETRY_SECONDS, jitter=0.2)
        while True:
            producer = AIOKafkaProducer(
                **producer_options(self._settings, self._client_id),
                linger_ms=self._linger_ms,
                metadata_max_age_ms=60_000,
                partitioner=partition_by_key,
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                log.warning(
                    "broker_unreachable",
                    error=type(error).__name__,
                    hint="is it up, and are user name, password and CA file right?",
                )
                await asyncio.sleep(backoff.fail())
            else:
                self._producer = producer
                return


async def _stop(producer: AIOKafkaProducer) -> None:
    """Bounded: an idempotent producer would wait for a broker that is away until it is back."""
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await producer.stop()
