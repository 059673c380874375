"""Small typed builders of what handlers and tests pass around."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar
from uuid import UUID

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.message import Message
from contracts.personal import PersonalKey
from contracts.topics import CARRIED_BY
from infra.kafka.producer import Producer
from infra.kafka.records import Place, Record
from infra.messaging.batch_progress import Failure, SetAside
from infra.messaging.dead_letters import DeadLetters
from infra.messaging.inbound import InboundMessage, Origin
from infra.postgres.personal_data_keys import user_key_id
from infra.security.client_cipher import Client

M = TypeVar("M", bound=Message)

A_CLIENT = Client("203.0.113.7", "a browser")
NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
A_REPLY_CHANNEL = "qnt9:outcomes:test"

_offsets = count()


def an_envelope(
    message: type[Message] | Message,
    *,
    id: UUID | None = None,  # noqa: A002
    actor: UUID | None = None,
    time: datetime | None = None,
    deadline: datetime | None = None,
    fingerprint: str | None = None,
    reply_to: str | None = A_REPLY_CHANNEL,
    traceparent: str | None = None,
) -> Envelope:
    return Envelope(
        id=id or uuid7(),
        source="urn:qnt9:test",
        type=message.type,
        time=time or datetime.now(UTC),
        correlation_id="a-request",
        actor_id=actor,
        reply_to=reply_to,
        deadline=deadline,
        fingerprint=fingerprint,
        traceparent=traceparent,
    )


def received(
    data: M,
    *,
    envelope: Envelope | None = None,
    id: UUID | None = None,  # noqa: A002
    actor: UUID | None = None,
    client: Client | None = A_CLIENT,
    key: str | None = None,
    time: datetime | None = None,
    deadline: datetime | None = None,
    fingerprint: str | None = None,
    reply_to: str | None = A_REPLY_CHANNEL,
) -> InboundMessage[M]:
    """A message as a handler gets it. Its record's key is the actor where none is given."""
    envelope = envelope or an_envelope(
        data,
        id=id,
        actor=actor,
        time=time,
        deadline=deadline,
        fingerprint=fingerprint,
        reply_to=reply_to,
    )
    record_key = (key or str(envelope.actor_id or "")).encode()
    topic = CARRIED_BY[type(data)].name
    return InboundMessage(envelope, data, client, Origin(topic, 0, next(_offsets), 0, record_key))


def a_personal_key(user_id: UUID | None = None) -> PersonalKey:
    """A key that is in no database."""
    return PersonalKey(user_key_id(user_id or uuid7()), os.urandom(32))


def an_origin(topic: str = "watchlists.events") -> Origin:
    return Origin(topic, 0, next(_offsets), 0, b"a key")


@dataclass
class ARecord:
    """What a consumer gets from Kafka."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    topic: str
    key: bytes | None = b"a key"
    partition: int = 0
    offset: int = field(default_factory=lambda: next(_offsets))
    timestamp: int = 1_767_225_600_000


def a_record(
    data: Message | bytes | None,
    *,
    envelope: Envelope | None = None,
    topic: str | None = None,
    key: str | None = "a key",
    personal: PersonalKey | None = None,
) -> ARecord:
    """A record that carries a message, or these bytes under this envelope and topic."""
    if isinstance(data, Message):
        envelope = envelope or an_envelope(data)
        topic = topic or CARRIED_BY[type(data)].name
        value: bytes | None = data.model_dump_json(context={"personal": personal}).encode()
    else:
        value = data
    assert envelope
    assert topic
    return ARecord(
        value, [*envelope.to_headers()], topic, key.encode() if key is not None else None
    )


@dataclass
class WrittenDeadLetter:
    """A record that was set aside, and why."""

    record: Record
    failure: Failure


class MemoryDeadLetters(DeadLetters):
    """Dead letters as Kafka would have acknowledged them."""

    def __init__(self) -> None:
        self.written: list[WrittenDeadLetter] = []

    async def write(self, place: Place, dead_letters: Sequence[SetAside], until: int) -> None:  # noqa: ARG002
        self.written += [WrittenDeadLetter(each.record, each.failure) for each in dead_letters]


@dataclass
class Published:
    """A record that was acknowledged."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]


class MemoryProducer(Producer):
    """Acknowledges what is published, after these failures in turn."""

    def __init__(self, *failures: Exception) -> None:
        self.published: list[Published] = []
        self._failures = list(failures)

    async def publish(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        seconds: float,  # noqa: ARG002
    ) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.published.append(Published(topic, key, value, dict(headers)))


async def no_sleep(_: float) -> None:
    """For what pauses between attempts."""
