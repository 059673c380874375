"""The consumer shell: everything between a topic and a handler, the same for every worker.

FastStream fetches a batch; what `BatchProcessor` has finished of it is committed by partition,
also when the rest is held. While a dependency is down the rest is tried again with back-off, and
nothing is set aside.
"""

import asyncio
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
from faststream.kafka.subscriber.usecase import BatchSubscriber

from contracts.topics import Consumer, topics_of
from infra.kafka.aiokafka_internals import committed_offsets
from infra.kafka.records import Place
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.batch_progress import Batch
from infra.messaging.call_result import DOWN
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_options import ConsumerOptions, client_options
from infra.messaging.dead_letters import Committed, DeadLetters
from infra.messaging.faststream_adapter import DrainFirst, Fetched, batch_of, builder
from infra.messaging.handler_calls import Handle
from infra.messaging.inbound import RetryableError
from infra.messaging.record_reader import RecordReader
from infra.observability.telemetry import BATCH_RECORDS, BATCH_SECONDS, PAUSED
from infra.postgres.pool import UNAVAILABLE
from infra.runtime.backoff import Backoff, wait_for_event
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

STALLED_SECONDS = 120
DRAIN_SECONDS = 15
TIDY_SECONDS = 5.0
HELD_TIDY_SECONDS = 1.0
CONTROLS_SECONDS = 5.0


class ConsumerShell:
    """Runs one consumer group: at least once, in order per key."""

    def __init__(
        self, consumer: Consumer, settings: KafkaSettings, handle: Handle, options: ConsumerOptions
    ) -> None:
        topics = topics_of(consumer)
        self._name = consumer.name
        self._policy = options.policy
        self._client_options = client_options(settings, options)
        self._backoff = Backoff(*options.policy.backoff_seconds, jitter=0.2)
        self._stopping = asyncio.Event()
        self._progress = time.monotonic()
        self._controls = options.controls or Controls(consumer.name)
        self._dead_letters = DeadLetters(
            settings, consumer, topics, client_id=options.client_id, committed=self._committed
        )
        messages = {message.type: message for topic in topics for message in topic.carries}
        self._work = BatchProcessor(
            consumer.name,
            handle,
            reader=options.reader or RecordReader(messages, options.cipher),
            dead_letters=self._dead_letters,
            transactions=options.transactions,
            policy=options.policy,
            sleep=self._sleep,
            touch=self._touch,
            controls=self._controls,
            dead_letter_status=options.dead_letter_status,
        )
        self._broker = KafkaBroker(
            settings.kafka_bootstrap,
            apply_types=False,
            consumer_only=True,
            graceful_timeout=DRAIN_SECONDS,
            logger=None,
        )
        self._subscriber = self._subscribe(consumer)

    def _subscribe(self, consumer: Consumer) -> BatchSubscriber:
        """Subscribe the group to its topics and to what operators send again."""
        names = [n for t in topics_of(consumer) for n in (t.name, t.redrive(consumer))]
        subscriber = self._broker.subscriber(
            *names,
            group_id=consumer.group,
            batch=True,
            max_records=self._policy.max_records,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            no_reply=True,
            auto_offset_reset="earliest",
            listener=DrainFirst(self._revoked),
            parser=self._parse,
            decoder=batch_of,
        )
        subscriber(self._on_batch)
        return subscriber

    async def run(self) -> None:
        """Join the group, however long the broker takes to come up.

        What operators have instructed holds from the first record on.
        """
        await self._follow_controls()
        await self._broker.connect()
        self._broker.config.broker_config.builder = builder(self._client_options, self._touch)
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
        """Wait until no batch is in hand, for `DRAIN_SECONDS` at most."""
        lock: Any = self._subscriber.lock
        await lock.wait_release(DRAIN_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the fetch loop or a handler made progress lately."""
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
        tries = self._backoff.failures
        return f"a dependency is down, tried {tries} times" if tries else None

    async def tidy(self) -> None:
        """Follow what was decided elsewhere and close what is not used, until it stops."""
        while not self._stopping.is_set():
            await self._follow_controls()
            try:
                await self._dead_letters.tidy()
            except Exception:
                log.exception("writers_not_closed", consumer=self._name)
            await self._sleep(
                HELD_TIDY_SECONDS if self._backoff.failures else TIDY_SECONDS, touch=False
            )

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
        if tries := self._backoff.succeed():
            log.info("consumer_resumed", consumer=self._name, after_tries=tries)
            PAUSED.labels(self._name).set(0)

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
        PAUSED.labels(self._name).set(1)
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        grows = not isinstance(first, RetryableError) or first.grows_backoff
        delay = self._backoff.fail(grows=grows)
        log.warning(
            event,
            consumer=self._name,
            error=type(first).__name__,
            detail=str(first)[:200],
            tries=self._backoff.failures,
        )
        await self._sleep(delay)
        raise RetryableError("the batch is held and will be tried again") from first

    async def _sleep(self, seconds: float, *, touch: bool = True) -> None:
        """Not through a shutdown."""
        if not await wait_for_event(self._stopping, seconds) and touch:
            self._touch()

    def _touch(self) -> None:
        self._progress = time.monotonic()
