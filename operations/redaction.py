"""Records as people and scripts read them. Nothing in here fails for a bad record."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from contracts.confidential import PREFIX as ENCRYPTED
from contracts.personal import Personal
from contracts.topics import MESSAGES
from infra.kafka.records import Record
from infra.messaging.dead_letter_encryption import owner_of
from infra.messaging.record_reader import RecordReader, Unreadable, headers_as_text
from operations.message_types import short

_PERSONAL = re.compile(r"^p1\.((?:user|day):[0-9a-f-]+)\.[A-Za-z0-9_-]+$")
_READER = RecordReader(MESSAGES, None)
_PERSONAL_NAMES = {
    name
    for message in MESSAGES.values()
    for name, field in message.model_fields.items()
    if Personal in {field.annotation, *get_args(field.annotation)}
}
"""What is personal in an event is personal in a command, where it is not encrypted."""


@dataclass(frozen=True, slots=True)
class Displayed:
    """One record. `problem` says why no consumer could read it; then `data` may be its text."""

    time: datetime
    topic: str
    partition: int
    offset: int
    key: str | None
    type: str | None
    id: str | None
    correlation_id: str | None
    headers: dict[str, str]
    data: Any
    problem: str | None


def show(record: Record) -> Displayed:
    """The record in clear text, but personal and sealed values as what they are."""
    headers = {printable(name): printable(text) for name, text in headers_as_text(record).items()}
    if "ce_client" in headers:
        headers["ce_client"] = "(encrypted)"
    owner = owner_of(record)
    read = _READER.read(record) if owner is None else None
    return Displayed(
        time=datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=None if record.key is None else printable(_text(record.key)),
        type=headers.get("ce_type"),
        id=headers.get("ce_id"),
        correlation_id=headers.get("ce_correlationid"),
        headers=headers,
        data=_data(record.value) if owner is None else f"(encrypted, {printable(owner)})",
        problem=printable(read.reason) if isinstance(read, Unreadable) else None,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are looked for; None is any. `type` is in full or as `user.signed_up`.

    `text` is looked for in what is shown, whatever its case: values that are not shown cannot be
    found. `headers` are names and the text that each must have.
    """

    type: str | None = None
    key: str | None = None
    correlation_id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None

    @property
    def is_anything(self) -> bool:
        return self == Wanted()

    def matches(self, record: Record) -> bool:
        """Cheap questions first."""
        if self.key is not None and record.key != self.key.encode(errors="surrogateescape"):
            return False
        given = {name: _text(value or b"") for name, value in record.headers}
        if self.type is not None and self.type not in {
            given.get("ce_type", ""),
            short(given.get("ce_type", "")),
        }:
            return False
        if self.correlation_id is not None and self.correlation_id != given.get("ce_correlationid"):
            return False
        if any(given.get(name) != text for name, text in self.headers):
            return False
        return self.text is None or self.text.casefold() in _searched(record).casefold()


def _searched(record: Record) -> str:
    displayed = show(record)
    parts = (
        displayed.key or "",
        *displayed.headers.values(),
        orjson.dumps(displayed.data).decode(),
    )
    return "\n".join(parts)


def matches(record: Record, *, type_: str | None, key: str | None) -> bool:
    """Whether a record has this key, and this type in full or as `user.signed_up`."""
    return Wanted(type=type_, key=key).matches(record)


def printable(text: str) -> str:
    """The same without anything that a terminal could act on."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _data(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return _veiled(orjson.loads(value))
    except orjson.JSONDecodeError:
        return printable(_text(value))


def _veiled(value: Any, name: str = "") -> Any:
    match value:
        case str():
            return _veiled_text(value, name)
        case list():
            return [_veiled(item, name) for item in value]
        case dict():
            return {printable(n): _veiled(item, n) for n, item in value.items()}
    return value


def _veiled_text(text: str, name: str) -> str:
    if found := _PERSONAL.match(text):
        return f"(encrypted, {found[1]})"
    if name.startswith(ENCRYPTED):
        return "(encrypted)"
    if name == "sealed":
        return f"(sealed, {len(text)} characters)"
    if name in _PERSONAL_NAMES:
        return f"(personal, {len(text)} characters)"
    return printable(text)


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
