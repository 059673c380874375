"""Dead letters as operators see them: which there are, why, and what nobody has dealt with yet."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from contracts.envelope import Envelope, UnreadableError
from contracts.personal import ErasedError, PersonalKey
from contracts.topics import TOPICS, Consumer, Topic
from infra.kafka.records import Record
from infra.messaging.dead_letter_encryption import decrypt, is_of_erased, owner_of
from infra.messaging.dead_letters import PREFIX
from operations.broker import Broker, Range
from operations.errors import OpsError
from operations.redaction import printable

_NUMBER = re.compile(r"^(?P<box>[A-Za-z0-9._-]+?)(?:\.dlq)?:(?P<first>\d+)(?:-(?P<last>\d+))?$")


@dataclass(frozen=True, slots=True)
class DeadLetterTopic:
    """Where one consumer's dead letters from one topic lie. Its name is `<topic>.<consumer>`."""

    topic: Topic
    consumer: Consumer

    @property
    def name(self) -> str:
        return f"{self.topic.name}.{self.consumer.name}"

    @property
    def dead_letters(self) -> str:
        return self.topic.dead_letters(self.consumer)

    @property
    def redrive(self) -> str:
        return self.topic.redrive(self.consumer)


BOXES = {
    dlq_topic.name: dlq_topic
    for dlq_topic in (DeadLetterTopic(topic, each) for topic in TOPICS for each in topic.consumers)
}


@dataclass(frozen=True, slots=True)
class Number:
    """A dead letter, or some in a row: `watchlist.commands.watchlist:17`, `…:17-28`."""

    dlq_topic: DeadLetterTopic
    first: int
    last: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises `ValueError`."""
        found = _NUMBER.match(text)
        if not found or found["box"] not in BOXES:
            raise ValueError(
                f"{text!r} is not the id of a dead letter; `qnt9 dlq list` shows the ids"
            )
        first = int(found["first"])
        last = int(found["last"] or first)
        if last < first:
            raise ValueError(f"{text!r}: the last comes before the first")
        return cls(BOXES[found["box"]], first, last)

    @property
    def range(self) -> Range:
        return Range(0, self.first, self.last + 1)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that was set aside. `record` is as it lies in the dead-letter topic."""

    dlq_topic: DeadLetterTopic
    record: Record
    envelope: Envelope | None
    reason: str
    attempts: str
    first_failure: datetime
    last_failure: datetime
    came_from: str
    cut: bool
    erased: bool = False
    """Its owner was erased: nobody can read it any more."""

    @classmethod
    def of(cls, dlq_topic: DeadLetterTopic, record: Record) -> Self:
        """Nothing in here fails for a bad record."""
        about = {
            name.removeprefix(PREFIX): printable((value or b"").decode(errors="backslashreplace"))
            for name, value in record.headers
            if name.startswith(PREFIX)
        }
        written = datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)
        return cls(
            dlq_topic,
            record,
            _envelope(record),
            about.get("reason", "not said"),
            about.get("attempts", "?"),
            _time(about.get("first_failure"), written),
            _time(about.get("last_failure"), written),
            ":".join(about.get(name, "?") for name in ("topic", "partition", "offset")),
            "cut_from_bytes" in about,
            is_of_erased(record),
        )

    def decrypted(self, secret: bytes | None) -> Self:
        """The dead letter as it was before it was encrypted; None stands for a destroyed key."""
        owner = owner_of(self.record)
        if owner is None:
            return self
        if secret is None:
            return replace(self, erased=True)
        try:
            return replace(self, record=decrypt(self.record, PersonalKey(owner, secret)))
        except ErasedError:
            return replace(self, erased=True)

    @property
    def number(self) -> str:
        return f"{self.dlq_topic.name}:{self.record.offset}"

    @property
    def message_id(self) -> UUID | None:
        return self.envelope.id if self.envelope else None


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows of a dead letter, without its content."""

    dlq_topic: DeadLetterTopic
    number: str
    reason: str
    type: str
    first_failure: datetime
    last_failure: datetime
    came_from: str

    @classmethod
    def of(cls, dead_letter: DeadLetter) -> Self:
        return cls(
            dead_letter.dlq_topic,
            dead_letter.number,
            dead_letter.reason,
            printable(dead_letter.envelope.type) if dead_letter.envelope else "?",
            dead_letter.first_failure,
            dead_letter.last_failure,
            dead_letter.came_from,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters of one consumer that were set aside for the same reason."""

    dlq_topic: DeadLetterTopic
    reason: str
    dead_letters: tuple[Listed, ...]

    @property
    def first(self) -> datetime:
        return min(dead_letter.first_failure for dead_letter in self.dead_letters)

    @property
    def last(self) -> datetime:
        return max(dead_letter.last_failure for dead_letter in self.dead_letters)


def grouped(dead_letters: Iterable[Listed]) -> list[Group]:
    """By consumer and reason, the most recent trouble last, where a terminal shows it."""
    found: dict[tuple[str, str], list[Listed]] = {}
    for dead_letter in dead_letters:
        found.setdefault((dead_letter.dlq_topic.name, dead_letter.reason), []).append(dead_letter)
    groups = [Group(each[0].dlq_topic, reason, tuple(each)) for (_, reason), each in found.items()]
    return sorted(groups, key=lambda group: group.last)


def dead_letter_topics_of(topic: str | None, consumer: str | None) -> list[DeadLetterTopic]:
    """The boxes meant by a topic, or by a box's own name, and a consumer. Raises `OpsError`."""
    found = [
        dlq_topic
        for dlq_topic in BOXES.values()
        if topic is None or topic in {dlq_topic.topic.name, dlq_topic.name, dlq_topic.dead_letters}
        if consumer is None or consumer == dlq_topic.consumer.name
    ]
    if not found:
        whose = f" of {consumer}" if consumer else ""
        raise OpsError(f"no consumer writes dead letters{whose} from {topic or 'any topic'}")
    return found


async def read(
    broker: Broker, dlq_topic: DeadLetterTopic, ranges: Sequence[Range]
) -> AsyncIterator[DeadLetter]:
    async for batch in broker.read(dlq_topic.dead_letters, ranges):
        for record in batch.records:
            yield DeadLetter.of(dlq_topic, record)


async def whole(broker: Broker, dlq_topic: DeadLetterTopic) -> Range:
    """Everything that lies in a box now."""
    place = (dlq_topic.dead_letters, 0)
    await broker.partitions_of(dlq_topic.dead_letters)
    return Range(0, (await broker.beginnings([place]))[place], (await broker.ends([place]))[place])


def _envelope(record: Record) -> Envelope | None:
    headers: list[Any] = [h for h in record.headers if not h[0].startswith(PREFIX)]
    try:
        return Envelope.from_headers(headers)
    except UnreadableError:
        return None


def _time(text: str | None, otherwise: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return otherwise
    return time if time.tzinfo else otherwise
