"""Dead letters: the original bytes and headers, with why, how often, since when and where from."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiokafka.errors import MessageSizeTooLargeError

from contracts.topics import MIB, Consumer, Topic
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError, Producer
from infra.kafka.records import Record
from infra.received import RetryableError
from infra.telemetry import DEAD_LETTERS

log = structlog.get_logger(__name__)

PREFIX = "qnt9_dlq_"
ACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is set aside."""

    reason: str
    kind: str
    attempts: int = 1
    first_at: datetime | None = None


class DeadLetters:
    """Writes the dead letters of one consumer; returns when the broker has them."""

    def __init__(self, producer: Producer, consumer: Consumer, topics: tuple[Topic, ...]) -> None:
        self._producer = producer
        self._consumer = consumer
        self._targets = {t.name: t.dead_letters(consumer) for t in topics}
        self._targets |= {t.redrive(consumer): t.dead_letters(consumer) for t in topics}

    async def write(self, record: Record, failure: Failure) -> None:
        """Raises `RetryableError` when the broker did not acknowledge it."""
        now = datetime.now(UTC)
        about = {
            "reason": failure.reason,
            "attempts": str(failure.attempts),
            "first_failure": (failure.first_at or now).isoformat(),
            "last_failure": now.isoformat(),
            "consumer": self._consumer.name,
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "timestamp": str(record.timestamp),
        }
        kept = [(name, value) for name, value in record.headers if not name.startswith(PREFIX)]
        headers = kept + [(PREFIX + name, value.encode()) for name, value in about.items()]
        try:
            try:
                await self._publish(record, record.value, headers)
            except MessageSizeTooLargeError:  # it came compressed
                size = len(record.value or b"")
                cut = (f"{PREFIX}cut_from_bytes", str(size).encode())
                await self._publish(record, (record.value or b"")[:MIB], [*headers, cut])
        except (BrokerUnavailableError, IndeterminateError) as error:
            raise RetryableError("the dead letter was not acknowledged") from error
        DEAD_LETTERS.labels(self._consumer.name, failure.kind).inc()
        log.error(
            "dead_letter",
            consumer=self._consumer.name,
            reason=failure.reason,
            attempts=failure.attempts,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )

    async def _publish(
        self, record: Record, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
    ) -> None:
        await self._producer.publish(
            self._targets[record.topic],
            key=record.key,
            value=value,
            headers=headers,
            seconds=ACK_SECONDS,
        )


class FloodGuard:
    """Notices when a consumer sets aside so much that the fault must be its own.

    100 in a row, or more than 1 % of the last 10,000 and at least 50.
    """

    def __init__(self, in_a_row: int = 100, window: int = 10_000, at_least: int = 50) -> None:
        self._in_a_row, self._at_least = in_a_row, at_least
        self._recent: deque[bool] = deque(maxlen=window)
        self._run = self._dead = 0

    def record(self, *, dead: bool) -> None:
        if len(self._recent) == self._recent.maxlen:
            self._dead -= self._recent[0]
        self._recent.append(dead)
        self._dead += dead
        self._run = self._run + 1 if dead else 0

    @property
    def flooded(self) -> bool:
        share = self._dead / (self._recent.maxlen or 1)
        return self._run >= self._in_a_row or (self._dead >= self._at_least and share > 0.01)
