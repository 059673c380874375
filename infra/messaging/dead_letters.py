"""Dead letters: the original bytes and headers, with why, how often, since when and where from.

The content of a person's command is encrypted under that person's key (`dead_letter_encryption`).

Exactly one for each record that is set aside, however often it is read: dead letters are written in
the transaction that commits the offset behind their records, by the one writer of that partition.
An offset that an operator has moved back is noticed by the note beside it, which is missing then:
what the dead-letter topic holds of the partition is read once and not written again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog
from aiokafka.errors import KafkaError

from contracts.topics import MAX_DEAD_LETTER_BYTES, MIB, Consumer, Topic
from infra.kafka.broadcast_consumer import read_all
from infra.kafka.records import Place, Record
from infra.kafka.transactional_producer import Draft, TransactionalWriter, TransactionError
from infra.messaging.batch_progress import Failure, SetAside
from infra.messaging.dead_letter_encryption import encrypt
from infra.messaging.dead_letter_log import DeadLetterLog
from infra.messaging.inbound import RetryableError
from infra.observability.telemetry import DEAD_LETTERS
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

PREFIX = "qnt9_dlq_"
NOTE = "letters before "
"""Beside a committed offset: the dead letters of the partition are of records before this one."""
NOTE_END = "\0"
"""confluent-kafka reads the note up to a zero byte, which the broker's answer does not have."""
HEADROOM = 64 * 1024
ASK_SECONDS = 10.0
IDLE_SECONDS = 60.0

Committed = tuple[int, str]
"""The offset that a group has committed in a partition, -1 for none, and the note beside it."""
FetchCommitted = Callable[[Sequence[Place]], Awaitable[Mapping[Place, Committed]]]


def draft_of(consumer: Consumer, record: Record, failure: Failure) -> Draft:
    """The dead letter of a record. One that was redriven keeps its first place and its history."""
    now = datetime.now(UTC)
    before = _history_of(record)
    about = {
        "reason": failure.reason,
        "attempts": str(failure.attempts + _number(before.get("attempts"))),
        "first_failure": before.get("first_failure") or (failure.first_at or now).isoformat(),
        "last_failure": now.isoformat(),
        "consumer": consumer.name,
        "topic": before.get("topic") or record.topic,
        "partition": before.get("partition") or str(record.partition),
        "offset": before.get("offset") or str(record.offset),
        "timestamp": before.get("timestamp") or str(record.timestamp),
    }
    if before:
        about["redrives"] = str(_number(before.get("redrives")) + 1)
        about["redriven_as"] = f"{record.topic}:{record.partition}:{record.offset}"
    kept = [(name, value) for name, value in record.headers if not name.startswith(PREFIX)]
    headers = kept + [(PREFIX + name, value.encode()) for name, value in about.items()]
    value = record.value
    if value and _size(record.key, value, headers) > MAX_DEAD_LETTER_BYTES - HEADROOM:
        headers.append((f"{PREFIX}cut_from_bytes", str(len(value)).encode()))  # it came compressed
        value = value[:MIB]
    return record.key, value, headers


def read_from(dead_letter: Record) -> tuple[str, int, int] | None:
    """Where the consumer read the record of this dead letter; None if it does not say."""
    about = _about(dead_letter)
    try:
        if again := about.get("redriven_as"):
            topic, partition, offset = again.rsplit(":", 2)
        else:
            topic, partition, offset = (about[name] for name in ("topic", "partition", "offset"))
        return topic, int(partition), int(offset)
    except (KeyError, ValueError):
        return None


@dataclass(slots=True)
class _Partition:
    """What is known of one partition since it was assigned."""

    note: str
    """What belongs beside its committed offset."""
    committed: int = -1
    """The offset that its group had committed when its writer was opened."""
    known: set[int] = field(default_factory=set)
    """Offsets from there on whose records have their dead letter already."""
    scanned: bool = False
    writer: TransactionalWriter | None = None
    used: float = 0.0


class DeadLetters:
    """Writes the dead letters of one consumer, and commits the offsets behind their records."""

    def __init__(
        self,
        settings: KafkaSettings,
        consumer: Consumer,
        topics: tuple[Topic, ...],
        *,
        client_id: str,
        committed: FetchCommitted,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._consumer = consumer
        self._fetch_committed = committed
        self._targets = {t.name: t.dead_letters(consumer) for t in topics}
        self._targets |= {t.redrive(consumer): t.dead_letters(consumer) for t in topics}
        self._partitions: dict[Place, _Partition] = {}
        self._log = DeadLetterLog(consumer.name)

    async def write(self, place: Place, dead_letters: Sequence[SetAside], until: int) -> None:
        """Write the dead letters, and commit `until` as the next offset of their partition.

        Raises `RetryableError` when that is not known to have happened. Called again with the same
        dead letters, it finds out whether it had, and does what is left.
        """
        await self.notes([place])
        state = self._partitions[place]
        try:
            if state.writer is None:
                await self._open(place, state)
            assert state.writer
            left = [e for e in dead_letters if e.record.offset >= state.committed]
            left = [e for e in left if e.record.offset not in state.known]
            if until > state.committed:
                drafts = [self._draft(each) for each in left]
                await state.writer.write(
                    self._targets[place[0]], drafts, place=place, offset=until, note=state.note
                )
        except (TransactionError, KafkaError, OSError, TimeoutError) as error:
            await self._close(state)
            raise RetryableError(f"dead letters not acknowledged: {error}") from error
        state.used = monotonic()
        for each in left:
            DEAD_LETTERS.labels(self._consumer.name, each.failure.kind).inc()
        self._log.add(left)

    def _draft(self, dead_letter: SetAside) -> Draft:
        draft = draft_of(self._consumer, dead_letter.record, dead_letter.failure)
        return encrypt(draft, dead_letter.owner) if dead_letter.owner else draft

    async def notes(self, places: Iterable[Place]) -> dict[Place, str]:
        """What belongs beside the committed offset of each partition.

        A note that an operator has removed stays away until the dead letters there were read.
        Raises `RetryableError` when the broker does not answer.
        """
        places = list(places)
        if unknown := [place for place in places if place not in self._partitions]:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    found = await self._fetch_committed(unknown)
            except (KafkaError, OSError, TimeoutError) as error:
                raise RetryableError("committed offsets are not known") from error
            for place in unknown:
                self._partitions.setdefault(place, _Partition(found[place][1]))
        return {place: self._partitions[place].note for place in places}

    async def tidy(self) -> None:
        """Close writers that were not used for a while, and log what was not logged yet."""
        self._log.flush()
        since = monotonic() - IDLE_SECONDS
        for state in list(self._partitions.values()):
            if state.writer and state.used < since:
                await self._close(state)

    async def release(self) -> None:
        """Forget every partition: from now on they may be another process'."""
        states, self._partitions = list(self._partitions.values()), {}
        self._log.flush()
        await asyncio.gather(*(self._close(state) for state in states))

    async def _open(self, place: Place, state: _Partition) -> None:
        """Become the only writer; then what the group has committed tells what is left to write."""
        state.used = monotonic()
        state.writer = await TransactionalWriter.open(
            self._settings, client_id=self._client_id, group=self._consumer.group, place=place
        )
        async with asyncio.timeout(ASK_SECONDS):
            state.committed, note = (await self._fetch_committed([place]))[place]
        known_before = _known_before(note)
        if not state.scanned and (known_before is None or state.committed < known_before):
            await self._scan(place, state)
        elif not state.scanned:
            state.note = note

    async def _scan(self, place: Place, state: _Partition) -> None:
        """Which of the records to come have their dead letter already."""
        found = set()
        async for dead_letters in read_all(
            self._settings, client_id=self._client_id, place=(self._targets[place[0]], 0)
        ):
            origins = map(read_from, dead_letters)
            found |= {o[2] for o in origins if o and o[:2] == place and o[2] >= state.committed}
        state.known = found
        state.note = f"{NOTE}{max(found, default=-1) + 1}{NOTE_END}"
        state.scanned = True
        log.info("dead_letters_read", topic=place[0], partition=place[1], known=len(found))

    async def _close(self, state: _Partition) -> None:
        writer, state.writer = state.writer, None
        if writer:
            await writer.close()


def _known_before(note: str) -> int | None:
    try:
        text = note.removesuffix(NOTE_END)
        return int(text.removeprefix(NOTE)) if text.startswith(NOTE) else None
    except ValueError:
        return None


def _history_of(record: Record) -> dict[str, str]:
    """What an earlier dead letter says of a record that was redriven; nothing for any other."""
    return _about(record) if record.topic.endswith(".redrive") else {}


def _about(record: Record) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX): (value or b"").decode(errors="replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _size(key: bytes | None, value: bytes, headers: Iterable[tuple[str, bytes | None]]) -> int:
    names = sum(len(name.encode()) + len(content or b"") + 10 for name, content in headers)
    return len(key or b"") + len(value) + names
