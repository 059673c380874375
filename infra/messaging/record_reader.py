"""Records into messages. Nothing in here raises for a bad record: it says what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Literal, Protocol, TypeVar, Union, cast, get_args, get_origin

import orjson
from pydantic import ValidationError, create_model

from contracts.confidential import PREFIX, binding, confidential_fields
from contracts.envelope import Envelope, UnreadableError
from contracts.message import Event, Message
from contracts.topics import MAX_DATA_BYTES, TOPICS
from infra.kafka.records import Record
from infra.messaging.inbound import InboundMessage, Origin, RawEvent
from infra.security.client_cipher import ClientCipher


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that no handler can take, and why. The envelope, where at least that was whole."""

    record: Record
    reason: str
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Unwanted:
    """An event of a type that this version of the consumer does not know: not for it."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Refused:
    """A command with a value that the contract refuses, and that an older gateway let pass."""

    envelope: Envelope
    reason: str


Reading = InboundMessage[Message] | Unreadable | Refused | Unwanted
M = TypeVar("M", bound=Message)

EVENT_TOPICS = frozenset(
    name
    for topic in TOPICS
    if all(issubclass(message, Event) for message in topic.carries)
    for name in (topic.name, *(topic.redrive(consumer) for consumer in topic.consumers))
)


class Reader(Protocol):
    """Makes messages of records."""

    def read(self, record: Record) -> Reading:
        """The message, or the reason why there is none."""
        ...


class RecordReader:
    """Reads the types that one consumer knows.

    An event of another type is not wanted. A command of another type was meant for this consumer
    and cannot be executed by it: unreadable, so that nothing acknowledged is lost.
    """

    def __init__(self, messages: Mapping[str, type[Message]], cipher: ClientCipher | None) -> None:
        self._messages = messages
        self._cipher = cipher

    def read(self, record: Record) -> Reading:
        """The message, or the reason why there is none."""
        envelope = _checked_envelope(record)
        if isinstance(envelope, Unreadable):
            return envelope
        if envelope.type not in self._messages:
            if record.topic in EVENT_TOPICS:
                return Unwanted(envelope)
            return Unreadable(record, f"unknown type {envelope.type[:200]!r}", envelope)
        return self._read_data(record, envelope)

    def _read_data(self, record: Record, envelope: Envelope) -> Reading:
        assert record.value is not None
        try:
            data = self._in_clear(parse(self._messages[envelope.type], record.value), envelope)
            client = None
            if envelope.client and self._cipher:
                client = self._cipher.decrypt(envelope.client)
        except ValidationError as error:
            if _is_input(error) and not _is_event(self._messages[envelope.type]):
                return Refused(envelope, _summary(error))
            return Unreadable(record, _summary(error), envelope)
        except _UndecryptableError as error:
            return Unreadable(record, str(error), envelope)
        except ValueError as error:
            return Unreadable(record, f"header 'ce_client': {error}", envelope)
        return InboundMessage(envelope, data, client, origin_of(record))

    def _in_clear(self, data: Message, envelope: Envelope) -> Message:
        """What a command holds encrypted, in the field for it. Raises `_UndecryptableError`."""
        values: dict[str, str | None] = {}
        for name, clear in confidential_fields(type(data)).items():
            token = getattr(data, name)
            if token is None or self._cipher is None:
                continue
            try:
                values[clear] = self._cipher.decrypt_text(token, binding(envelope.id, clear))
            except ValueError as error:
                raise _UndecryptableError(f"{name}: {error}") from error
            values[name] = None
        return type(data).model_validate({**dict(data), **values}) if values else data


class _UndecryptableError(Exception):
    """A field of a command that this worker's key does not open."""


class RawEventReader:
    """Reads every event as it was published, also types that this version does not know."""

    def read(self, record: Record) -> Reading:
        """The event, or the reason why there is none."""
        envelope = _checked_envelope(record)
        if isinstance(envelope, Unreadable):
            return envelope
        assert record.value is not None
        try:
            body = orjson.loads(record.value)
        except orjson.JSONDecodeError as error:
            return Unreadable(record, f"the value is not JSON: {error}", envelope)
        event = RawEvent(body=body, value=record.value, headers=headers_as_text(record))
        return InboundMessage(envelope, event, None, origin_of(record))


def parse(model: type[M], value: bytes) -> M:
    """The data of a message. Raises `ValidationError`.

    An event of a newer producer may have a value that its enumeration did not have when this
    version was made: it is kept as it is. In a command such a value is refused, for it asks for
    something that this version cannot do.
    """
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        faults = {fault["type"] for fault in error.errors(include_input=False, include_url=False)}
        if not faults <= {"literal_error", "enum"} or not _is_event(model):
            raise
    opened = _with_open_enumerations(model).model_validate_json(value)
    return cast("M", model.model_construct(opened.model_fields_set, **dict(opened)))


def _is_event(model: type[Message]) -> bool:
    return issubclass(model, Event)


@cache
def _with_open_enumerations(model: type[M]) -> Any:
    fields: Any = {
        name: (_opened(field.annotation), field) for name, field in model.model_fields.items()
    }
    return create_model(model.__name__, __base__=model, **fields)


def _opened(annotation: Any) -> Any:
    """The same type, with any text for an enumeration of texts."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return str
    if get_origin(annotation) is Literal:
        return str if all(isinstance(each, str) for each in get_args(annotation)) else annotation
    if get_origin(annotation) in {Union, UnionType}:
        return Union[tuple(map(_opened, get_args(annotation)))]  # noqa: UP007  # made at run time
    return annotation


_MADE_BY_GATEWAYS = ("sealed", "proof", PREFIX)
_REFUSED_VALUES = frozenset(
    {
        "value_error",
        "string_too_short",
        "string_too_long",
        "string_pattern_mismatch",
        "too_short",
        "too_long",
    }
)


def _is_input(error: ValidationError) -> bool:
    """Whether everything is there and of its type, and only what a client gave is not accepted.

    What else is wrong with a command, no client can have caused: what is sealed or encrypted is
    the gateway's.
    """
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return all(
        fault["type"] in _REFUSED_VALUES
        and not str(next(iter(fault["loc"]), "")).startswith(_MADE_BY_GATEWAYS)
        for fault in faults
    )


def _checked_envelope(record: Record) -> Envelope | Unreadable:
    """The envelope of a record whose value can be read as well, by its size."""
    try:
        envelope = Envelope.from_headers(record.headers)
    except UnreadableError as error:
        return Unreadable(record, str(error))
    fault = _fault(record)
    return Unreadable(record, fault, envelope) if fault else envelope


def _fault(record: Record) -> str | None:
    if record.value is None:
        return "the value is null"
    if len(record.value) > MAX_DATA_BYTES:
        return f"the value has {len(record.value)} bytes, at most {MAX_DATA_BYTES} are handled"
    return None


def envelope_of(record: Record) -> Envelope | None:
    """The envelope of a record, whatever its value is; None where it is not whole."""
    try:
        return Envelope.from_headers(record.headers)
    except UnreadableError:
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
