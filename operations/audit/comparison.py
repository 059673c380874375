"""A row of the audit log against what its record says. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.personal import PersonalKey
from infra.audit.entry import Client, entry_of, open_client, sealed_client
from infra.kafka.records import Record
from infra.messaging.inbound import InboundMessage, RawEvent
from infra.messaging.record_reader import RawEventReader, Unreadable
from infra.postgres.personal_data_keys import user_key_id

_COLUMNS = (
    "event_id",
    "created_at",
    "user_id",
    "action",
    "type",
    "correlation_id",
    "key",
    "payload",
    "recorded_at",
)


def event_of(record: Record) -> InboundMessage[RawEvent] | None:
    """The event of a record, or None when it holds none."""
    read = RawEventReader().read(record)
    return None if isinstance(read, Unreadable) else read  # type: ignore[return-value]


def event_of_row(row: Mapping[str, Any]) -> InboundMessage[RawEvent] | None:
    """The event as the row's own headers and payload have it."""
    headers = json.loads(row["headers"])
    if not isinstance(headers, dict):
        return None
    return event_of(_StoredRecord(row, headers))


class _StoredRecord:
    """A row's copy of its record."""

    def __init__(self, row: Mapping[str, Any], headers: dict[str, Any]) -> None:
        self.topic: str = row["topic"]
        self.partition: int = row["partition"]
        self.offset: int = row["offset"]
        self.timestamp = int(row["recorded_at"].timestamp() * 1_000)
        self.key: bytes | None = row["key"]
        self.value: bytes | None = row["payload"]
        self.headers: Sequence[tuple[str, bytes | None]] = [
            (name, str(value).encode()) for name, value in headers.items()
        ]


def differences(row: Mapping[str, Any], event: InboundMessage[RawEvent]) -> list[str]:
    """The columns that are not what the record makes of them."""
    entry = entry_of(event)
    found = [name for name in _COLUMNS if row[name] != getattr(entry, name)]
    found += [
        name for name in ("headers", "details") if json.loads(row[name]) != getattr(entry, name)
    ]
    return found


def key_ids(row: Mapping[str, Any], event: InboundMessage[RawEvent]) -> list[str]:
    """The keys that decide what the clear columns have to be."""
    sealed = sealed_client(event)
    users = [row["user_id"], event.envelope.actor_id]
    ids = [user_key_id(person) for person in users if person]
    return [*ids, sealed.key_id] if sealed and sealed.key_id else ids


def client_difference(
    row: Mapping[str, Any], event: InboundMessage[RawEvent], keys: Mapping[str, PersonalKey]
) -> str | None:
    """What is wrong with address and client; None when the payload proves them.

    They are empty where somebody was erased whose address it was, or whom the event is about.
    """
    stands = Client(row["ip_address"], row["user_agent"])
    sealed = sealed_client(event)
    if sealed is None or stands == Client():
        erased = sealed is not None and any(id_ not in keys for id_ in key_ids(row, event))
        if stands == Client() and (sealed is None or erased):
            return None
    if open_client(sealed, dict(keys)) != stands:
        return "ip_address and user_agent are not those of its payload"
    return None


__all__ = [
    "client_difference",
    "differences",
    "event_of",
    "event_of_row",
    "key_ids",
]
