"""A message as a handler gets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from contracts.envelope import Envelope
from contracts.message import Message
from infra.observability.tracing import TRACING, Traced
from infra.security.client_cipher import Client

M_co = TypeVar("M_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None


@dataclass(frozen=True, slots=True)
class InboundMessage(Generic[M_co]):
    """One readable message: envelope, data, who asked, where it was."""

    envelope: Envelope
    data: M_co
    client: Client | None
    origin: Origin


def traced_of(messages: Sequence[InboundMessage[Any]]) -> list[Traced]:
    """The messages as their traces have them; none of several while nothing is recorded."""
    if len(messages) > 1 and not TRACING.recorder:
        return []
    envelopes = (each.envelope for each in messages)
    return [Traced(str(each.id), each.type, each.traceparent) for each in envelopes]


class RawEvent(Message):
    """An event of whatever type, as it was published: for who keeps events, not for who acts."""

    body: Any
    value: bytes
    headers: dict[str, str]


class RetryableError(Exception):
    """Something this message needs is away; the consumer pauses and tries again, for ever."""

    grows_backoff: ClassVar[bool] = True
    """Whether each further try waits longer. Not where raising it includes a wait."""


class PoisonError(Exception):
    """This message can never be handled: a dead letter at once, with this text as reason."""


class RefusedInputError(PoisonError):
    """What a client asked for is not valid, and a gateway let it pass: settled as rejected.

    Nothing that an operator could mend, so it becomes no dead letter.
    """
