"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_` headers, the data as the value.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = b"application/json"
SCHEMA_BASE = "urn:qnt9:schema:"


class UnreadableError(Exception):
    """The headers do not hold an envelope; says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The context attributes of one message.

    The last group is for commands: where the outcome is announced, until when it is wanted, the
    HMAC of the body that came with an idempotency key, and who asked (`{ip, agent}`, encrypted).
    """

    id: UUID
    source: str
    type: str
    time: datetime
    subject: str | None = None
    correlation_id: str = ""
    causation_id: str = ""
    actor_id: UUID | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    reply_to: str | None = None
    deadline: datetime | None = None
    fingerprint: str | None = None
    client: str | None = None

    def to_headers(self) -> Headers:
        """The headers of a record that carries this envelope."""
        headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(self.id).encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_time", self.time.isoformat().encode()),
            ("ce_dataschema", f"{SCHEMA_BASE}{self.type}".encode()),
            ("content-type", CONTENT_TYPE),
        ]
        headers += [
            (name, value.encode())
            for name, value in (
                ("ce_subject", self.subject),
                ("ce_correlationid", self.correlation_id),
                ("ce_causationid", self.causation_id),
                ("ce_actorid", str(self.actor_id) if self.actor_id else None),
                ("traceparent", self.traceparent),
                ("tracestate", self.tracestate),
                ("ce_replyto", self.reply_to),
                ("ce_deadline", self.deadline.isoformat() if self.deadline else None),
                ("ce_fingerprint", self.fingerprint),
                ("ce_client", self.client),
            )
            if value
        ]
        return headers

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Raises `UnreadableError` for a null or non-UTF-8 header, or a missing attribute.

        U+0000 is refused because no text column takes it.
        """
        found: dict[str, str] = {}
        for name, value in headers:
            if value is None:
                raise UnreadableError(f"header {name!r} is null")
            try:
                found[name] = value.decode()
            except UnicodeDecodeError as error:
                raise UnreadableError(f"header {name!r} is not UTF-8") from error
            if "\0" in found[name]:
                raise UnreadableError(f"header {name!r} holds U+0000")
        try:
            actor, deadline = found.get("ce_actorid"), found.get("ce_deadline")
            return cls(
                id=UUID(found["ce_id"]),
                source=found["ce_source"],
                type=found["ce_type"],
                time=_time(found["ce_time"]),
                subject=found.get("ce_subject"),
                correlation_id=found.get("ce_correlationid", ""),
                causation_id=found.get("ce_causationid", ""),
                actor_id=UUID(actor) if actor else None,
                traceparent=found.get("traceparent"),
                tracestate=found.get("tracestate"),
                reply_to=found.get("ce_replyto"),
                deadline=_time(deadline) if deadline else None,
                fingerprint=found.get("ce_fingerprint"),
                client=found.get("ce_client"),
            )
        except KeyError as error:
            raise UnreadableError(f"header {error.args[0]!r} is missing") from error
        except ValueError as error:
            raise UnreadableError(f"an attribute is malformed: {error}") from error


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
