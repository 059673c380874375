"""Records into messages. Nothing in here raises for a bad record: it says what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from pydantic import ValidationError

from contracts.envelope import Envelope, UnreadableError
from contracts.message import Message
from contracts.topics import MAX_DATA_BYTES
from infra.clients import ClientCipher
from infra.received import AnyEvent, Origin, Received


class Record(Protocol):
    """What is used of aiokafka's `ConsumerRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that no handler can take, and why. The envelope, where at least that was whole."""

    record: Record
    reason: str
    envelope: Envelope | None = None


class Reader(Protocol):
    """Makes messages of records."""

    def read(self, record: Record) -> Received[Message] | Unreadable:
        """The message, or the reason why there is none."""
        ...


class RecordReader:
    """Reads the types that one consumer knows."""

    def __init__(self, messages: Mapping[str, type[Message]], cipher: ClientCipher | None) -> None:
        self._messages = messages
        self._cipher = cipher

    def read(self, record: Record) -> Received[Message] | Unreadable:
        """The message, or the reason why there is none."""
        try:
            envelope = Envelope.from_headers(record.headers)
        except UnreadableError as error:
            return Unreadable(record, str(error))
        if fault := _fault(record):
            return Unreadable(record, fault, envelope)
        if envelope.type not in self._messages:
            return Unreadable(record, f"unknown type {envelope.type[:200]!r}", envelope)
        assert record.value is not None
        try:
            data = self._messages[envelope.type].model_validate_json(record.value)
            client = None
            if envelope.client and self._cipher:
                client = self._cipher.decrypt(envelope.client)
        except ValidationError as error:
            return Unreadable(record, _summary(error), envelope)
        except ValueError as error:
            return Unreadable(record, f"header 'ce_client': {error}", envelope)
        return Received(envelope, data, client, origin_of(record))


class AnyEventReader:
    """Reads every event as it was published, also types that this version does not know."""

    def read(self, record: Record) -> Received[Message] | Unreadable:
        """The event, or the reason why there is none."""
        try:
            envelope = Envelope.from_headers(record.headers)
        except UnreadableError as error:
            return Unreadable(record, str(error))
        if fault := _fault(record):
            return Unreadable(record, fault, envelope)
        assert record.value is not None
        try:
            body = orjson.loads(record.value)
        except orjson.JSONDecodeError as error:
            return Unreadable(record, f"the value is not JSON: {error}", envelope)
        event = AnyEvent(body=body, value=record.value, headers=headers_as_text(record))
        return Received(envelope, event, None, origin_of(record))


def _fault(record: Record) -> str | None:
    if record.value is None:
        return "the value is null"
    if len(record.value) > MAX_DATA_BYTES:
        return f"the value has {len(record.value)} bytes, at most {MAX_DATA_BYTES} are handled"
    return None


def origin_of(record: Record) -> Origin:
    """Where a record came from."""
    return Origin(record.topic, record.partition, record.offset, record.timestamp, record.key)


def headers_as_text(record: Record) -> dict[str, str]:
    """Headers for people and JSON; what is not UTF-8 is escaped."""
    return {
        name: value.decode(errors="backslashreplace") if value is not None else "null"
        for name, value in record.headers
    }


def _summary(error: ValidationError) -> str:
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'data'}: {f['type']}" for f in faults[:5])
