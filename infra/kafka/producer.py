"""An idempotent producer that comes up when the broker does and is made anew when it must be."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownProducerId,
)

from contracts.topics import MAX_DEAD_LETTER_BYTES
from infra.kafka.connection import connection_options
from infra.settings import KafkaSettings

log = structlog.get_logger(__name__)

REQUEST_MS = 10_000
CONNECT_RETRY_SECONDS = 1.0
_FATAL = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)
_REFUSED = (MessageSizeTooLargeError, TopicAuthorizationFailedError)


class BrokerUnavailableError(Exception):
    """Nothing was sent: there is no broker to send to."""


class IndeterminateError(Exception):
    """The broker did not acknowledge in time; the record may or may not be in the topic."""


class Producer:
    """Sends records with acks=all and idempotence; one a process."""

    def __init__(self, settings: KafkaSettings, *, client_id: str, linger_ms: int = 0) -> None:
        self._settings = settings
        self._client_id = client_id
        self._linger_ms = linger_ms
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._connecting = asyncio.create_task(self._connect())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connecting:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer:
            await self._producer.stop()

    @property
    def connected(self) -> bool:
        return self._producer is not None

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes | None]],
    ) -> asyncio.Future[object]:
        """Queue one record; the future is done when the broker has acknowledged it."""
        if self._producer is None:
            raise BrokerUnavailableError
        sent: asyncio.Future[object] = await self._producer.send(
            topic, value, key=key, headers=list(headers)
        )
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

    def renew_after(self, error: BaseException) -> None:
        """Replace the producer after an error that it cannot recover from."""
        if isinstance(error, _FATAL) and (broken := self._producer):
            log.warning("producer_renewed", error=type(error).__name__)
            self._producer = None
            self._connecting = asyncio.create_task(self._connect(replacing=broken))

    async def _connect(self, replacing: AIOKafkaProducer | None = None) -> None:
        if replacing:
            with suppress(KafkaError):
                await replacing.stop()
        while True:
            producer = AIOKafkaProducer(
                **connection_options(self._settings),
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                max_batch_size=65_536,
                max_request_size=MAX_DEAD_LETTER_BYTES,
                request_timeout_ms=REQUEST_MS,
                metadata_max_age_ms=60_000,
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                log.warning(
                    "broker_unreachable",
                    error=type(error).__name__,
                    hint="is it up, and are user name and password right?",
                )
                await asyncio.sleep(CONNECT_RETRY_SECONDS)
            else:
                self._producer = producer
                return
