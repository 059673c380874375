"""The JSON Schema of each message: as a file of its own, and as a part of a greater document."""

from typing import Any

from contracts.envelope import SCHEMA_BASE
from contracts.message import Message
from contracts.topics import CARRIED_BY, MESSAGES

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def files() -> dict[str, Schema]:
    """The document of each message, by the name of its file."""
    return {
        f"messages/{name}.json": {
            "$schema": DIALECT,
            "$id": f"{SCHEMA_BASE}{name}",
            **message.model_json_schema(),
            "x-topic": CARRIED_BY[message].name,
        }
        for name, message in sorted(MESSAGES.items())
    }


def data_schema(message: type[Message]) -> Schema:
    """The schema of a message's data with nothing to look up elsewhere."""
    schema = message.model_json_schema()
    inlined: Schema = _inlined(schema, schema.pop("$defs", {}))
    return inlined


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Messages are flat, so that this ends: a model that holds itself would be none."""
    match node:
        case {"$ref": str(reference), **beside}:
            return _inlined({**definitions[reference.rpartition("/")[2]], **beside}, definitions)
        case dict():
            return {name: _inlined(value, definitions) for name, value in node.items()}
        case list():
            return [_inlined(value, definitions) for value in node]
    return node
