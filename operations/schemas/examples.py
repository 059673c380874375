"""`examples/<type>.json`: one record of each message, written by hand, checked by program."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.message import Command
from contracts.topics import CARRIED_BY, MESSAGES
from infra.messaging.record_reader import RecordReader, Refused, Unreadable, Unwanted
from operations.schemas.headers import command_headers, event_headers

FOLDER = "examples"


class Example(BaseModel):
    """A record: its key, its headers, the JSON of its value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    headers: dict[str, str]
    data: dict[str, Any]


@dataclass
class _Record:
    """The example as Kafka would deliver it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def read_examples(folder: Path) -> dict[str, Example]:
    """Those that can be read, by type; what cannot is among the faults."""
    found: dict[str, Example] = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            found[path.stem] = Example.model_validate_json(path.read_bytes())
        except ValidationError:
            continue
    return found


def example_faults(folder: Path) -> list[str]:
    """What is missing, left over or not as the contracts say, one line each."""
    examples = read_examples(folder)
    present = {path.stem for path in (folder / FOLDER).glob("*.json")}
    faults = [f"{_name(name)}: no message has this type" for name in present - MESSAGES.keys()]
    for name in MESSAGES:
        if name not in present:
            faults.append(f"{_name(name)}: is missing; write one by hand")
        elif name not in examples:
            faults.append(f"{_name(name)}: is not {{key, headers, data}}")
        else:
            faults += [f"{_name(name)}: {fault}" for fault in _faults(name, examples[name])]
    return sorted(faults)


def _faults(name: str, example: Example) -> Iterator[str]:
    message = MESSAGES[name]
    headers = command_headers() if issubclass(message, Command) else event_headers()
    for part, schema in (("headers", headers), ("data", message.model_json_schema())):
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for error in validator.iter_errors(getattr(example, part)):
            yield f"{'.'.join(map(str, (part, *error.path)))}: {error.message}"
    record = _Record(
        CARRIED_BY[message].name,
        example.key.encode(),
        orjson.dumps(example.data),
        [(header, value.encode()) for header, value in example.headers.items()],
    )
    read = RecordReader(MESSAGES, None).read(record)
    if isinstance(read, Unreadable):
        yield read.reason
        return
    if isinstance(read, Unwanted):
        yield f"no message has the type {read.envelope.type}"
        return
    if isinstance(read, Refused):
        yield "a value is not what the contract accepts"
        return
    if read.envelope.type != name:
        yield f"ce_type is {read.envelope.type}"
    if example.key != read.envelope.subject:
        yield "the key is not ce_subject"
    if dict(read.envelope.to_headers()) != dict(record.headers):
        yield "the headers are not what the envelope would write"
    if orjson.loads(read.data.model_dump_json()) != example.data:
        yield "the data is not what the message would write"


def _name(name: str) -> str:
    return f"{FOLDER}/{name}.json"
