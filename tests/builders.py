"""Small typed builders of what handlers and tests pass around."""

import os
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar
from uuid import UUID

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.message import Message
from contracts.personal import PersonalKey
from contracts.topics import CARRIED_BY
from infra.clients import Client
from infra.postgres.personal_keys import user_key_id
from infra.received import Origin, Received

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
) -> Received[M]:
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
    return Received(envelope, data, client, Origin(topic, 0, next(_offsets), 0, record_key))


def a_personal_key(user_id: UUID | None = None) -> PersonalKey:
    """A key that is in no database."""
    return PersonalKey(user_key_id(user_id or uuid7()), os.urandom(32))
