"""The consumer shell: everything between a topic and a handler, the same for every worker.

FastStream fetches a batch; what `BatchProcessor` has finished of it is committed by partition,
also when the rest is held. While a dependency is down the rest is tried again with back-off, and
nothing is set aside.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from contracts.topics import Consumer, topics_of
from infra.kafka.aiokafka_internals import committed_offsets
from infra.kafka.connection import connection_options
from infra.kafka.records import Place
from infra.messaging.batch_items import DOWN
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.batch_progress import Batch
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_policy import Policy
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dead_letters import Committed, DeadLetters
from infra.messaging.faststream_adapter import DrainFirst, Fetched, batch_of, builder
from infra.messaging.handler_calls import Handle
from infra.messaging.inbound import RetryableError
from infra.messaging.record_reader import Reader, RecordReader
from infra.messaging.transaction import Transactions
from infra.observability.telemetry import BATCH_RECORDS, BATCH_SECONDS, PAUSED
from infra.postgres.pool import UNAVAILABLE
from infra.runtime.settings import KafkaSettings
from infra.security.client_cipher import ClientCipher

log = structlog.get_logger(__name__)

FETCH_BYTES = 6 * 1024 * 1024
STALLED_SECONDS = 120
DRAIN_SECONDS = 15
TIDY_SECONDS = 5.0
HELD_TIDY_SECONDS = 1.0
CONTROLS_SECONDS = 5.0
SESSION_MS = 10_000
"""How long the work of a killed process lies still: the group waits for it that long."""
METADATA_MS = 60_000
"""How late a consumer notices that a topic was created again."""


class ConsumerShell:
    """Runs one consumer group: at least once, in order per key."""

    def __init__(
        self,
        consumer: Consumer,
        settings: KafkaSettings,
        handle: Handle,
        *,
        transactions: Transactions | None,
        cipher: ClientCipher | None = None,
        policy: Policy | None = None,
        reader: Reader | None = None,
        controls: Controls | None = None,
        dead_letter_status: DeadLetterStatus | None = None,
        client_id: str,
    ) -> None:
        policy = policy or Policy()
        topics = topics_of(consumer)
        self._name = consumer.name
        self._backoff = policy.backoff_seconds
        self._pauses = 0
        self._stopping = asyncio.Event()
        self._progress = time.monotonic()
        self._controls = controls or Controls(consumer.name)
        self._dead_letters = DeadLetters(
            settings, consumer, topics, client_id=client_id, committed=self._committed
        )
        self._work = BatchProcessor(
            consumer.name,
            handle,
            reader=reader or RecordReader({m.type: m for t in topics for m in t.carries}, cipher),
            dead_letters=self._dead_letters,
            transactions=transactions,
            policy=policy,
            sleep=self._sleep,
            touch=self._touch,
            controls=self._controls,
            dead_letter_status=dead_letter_status,
        )
        self._broker = KafkaBroker(
            settings.kafka_bootstrap,
            apply_types=False,
            consumer_only=True,
            graceful_timeout=DRAIN_SECONDS,
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            *(name for t in topics for name in (t.name, t.redrive(consumer))),
            group_id=consumer.group,
            batch=True,
            max_records=policy.max_records,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            no_reply=True,
            auto_offset_reset="earliest",
            listener=DrainFirst(self._revoked),
            parser=self._parse,
            decoder=batch_of,
        )
        self._subscriber(self._on_batch)
        self._options = connection_options(settings) | {
            "client_id": client_id,
            "session_timeout_ms": SESSION_MS,
            "heartbeat_interval_ms": SESSION_MS // 4,
            "rebalance_timeout_ms": 60_000,
            "max_poll_interval_ms": 600_000,
            "metadata_max_age_ms": METADATA_MS,
            "isolation_level": "read_committed",
            "max_partition_fetch_bytes": FETCH_BYTES,
            "fetch_max_bytes": 8 * FETCH_BYTES,
            "fetch_min_bytes": policy.fetch_min_bytes,
            "fetch_max_wait_ms": policy.fetch_max_wait_ms,
        }

    async def run(self) -> None:
        """Join the group, however long the broker takes to come up.

        What operators have instructed holds from the first record on.
        """
        await self._follow_controls()
        await self._broker.connect()
        self._broker.config.broker_config.builder = builder(self._options, self._touch)
        while not self._stopping.is_set():
            try:
                await self._subscriber.start()
            except (KafkaError, OSError) as error:
                log.warning(
                    "consumer_waits_for_broker", consumer=self._name, error=type(error).__name__
                )
                await self._sleep(1.0)
            else:
                log.info("consumer_started", consumer=self._name)
                return

    async def stop(self) -> None:
        """Finish and commit the batch in hand, then leave the group."""
        self._stopping.set()
        self._subscriber.running = False
        await self.drained()
        await self._broker.stop()
        await self._dead_letters.release()
        log.info("consumer_stopped", consumer=self._name)

    async def drained(self) -> None:
        """Returns when no batch is in hand."""
        lock: Any = self._subscriber.lock
        await lock.wait_release(DRAIN_SECONDS)

    @property
    def alive(self) -> bool:
        """Progress, not a ping: the fetch loop or a handler moved lately."""
        return time.monotonic() - self._progress < STALLED_SECONDS

    @property
    def problem(self) -> str | None:
        """Why this consumer is not ready, in an operator's words; None when it is."""
        if self._stopping.is_set():
            return "draining"
        if not self._subscriber.running:
            return "not connected to the broker yet"
        if paused := self._controls.paused:
            return (
                f"paused since {paused.since}: {paused.reason}; it tries again by itself, "
                f"see `qnt9 consumers show {self._name}`"
            )
        return f"a dependency is down, tried {self._pauses} times" if self._pauses else None

    async def tidy(self) -> None:
        """From time to time: follow what was decided elsewhere, close what is not used."""
        while not self._stopping.is_set():
            await self._follow_controls()
            try:
                await self._dead_letters.tidy()
            except Exception:
                log.exception("writers_not_closed", consumer=self._name)
            await self._sleep(HELD_TIDY_SECONDS if self._pauses else TIDY_SECONDS, touch=False)

    async def _follow_controls(self) -> None:
        try:
            async with asyncio.timeout(CONTROLS_SECONDS):
                await self._controls.refresh()
        except (*UNAVAILABLE, asyncpg.PostgresError) as error:
            log.debug("controls_not_read", error=type(error).__name__)

    async def _parse(self, records: Any) -> KafkaAckableMessage:
        assert self._subscriber.consumer is not None
        return Fetched(
            body=b"",
            headers={},
            raw_message=records,
            consumer=self._subscriber.consumer,
            batch=Batch(records),
            commit=self._commit,
        )

    async def _on_batch(self, batch: Batch) -> None:
        BATCH_RECORDS.labels(self._name).observe(len(batch.records))
        with BATCH_SECONDS.labels(self._name).time():
            try:
                await self._work.process(batch)
            except* DOWN as group:
                await self._hold("dependency_down", group, batch)
            except* Exception as group:
                log.exception("batch_failed", consumer=self._name)
                await self._hold("batch_held", group, batch)
        if self._pauses:
            log.info("consumer_resumed", consumer=self._name, after_tries=self._pauses)
            PAUSED.labels(self._name).set(0)
        self._pauses = 0

    async def _commit(self, batch: Batch) -> None:
        """How far each partition is finished; never raises: the next commit says it again."""
        places = {
            place: offset
            for place, offset in batch.reached().items()
            if place not in batch.written and offset > batch.firsts[place]
        }
        consumer = self._subscriber.consumer
        if not places or consumer is None:
            return
        try:
            notes = await self._dead_letters.notes(places)
            await consumer.commit(
                {TopicPartition(*place): (at, notes[place]) for place, at in places.items()}
            )
        except (RetryableError, KafkaError) as error:
            log.warning("offsets_not_committed", consumer=self._name, error=type(error).__name__)

    async def _committed(self, places: Sequence[Place]) -> Mapping[Place, Committed]:
        consumer = self._subscriber.consumer
        assert consumer is not None
        found = await committed_offsets(consumer, [TopicPartition(*p) for p in places])
        return {
            place: (at.offset, at.metadata or "") if at else (-1, "")
            for place in places
            for at in (found.get(TopicPartition(*place)),)
        }

    async def _revoked(self) -> None:
        await self.drained()
        await self._dead_letters.release()

    async def _hold(self, event: str, group: BaseExceptionGroup[Any], batch: Batch) -> None:
        """Commit what is finished, wait, then raise, so that the rest is fetched again."""
        await self._commit(batch)
        least, most = self._backoff
        self._pauses += 1
        PAUSED.labels(self._name).set(1)
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        grows = not isinstance(first, RetryableError) or first.grows_backoff
        delay = min(most, least * 2 ** min(self._pauses - 1, 10)) if grows else least
        log.warning(
            event,
            consumer=self._name,
            error=type(first).__name__,
            detail=str(first)[:200],
            tries=self._pauses,
        )
        await self._sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
        raise RetryableError("the batch is held and will be tried again") from first

    async def _sleep(self, seconds: float, *, touch: bool = True) -> None:
        """Not through a shutdown."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            if touch:
                self._touch()

    def _touch(self) -> None:
        self._progress = time.monotonic()
