"""`baseline.json`: what was released, which from then on can only grow.

Event topics are kept for years and processes of two versions run side by side: a reader meets
records that are older and newer than itself. So a released field stays exactly as it is, wider as
little as narrower, and a new one is optional. `docs/api-versioning.md` says what to do instead.

The rule of open enumerations: an enumeration of texts in an event may get more values, because
every reader keeps a value that it does not know (`parse` in `infra.messaging.record_reader`). In a
command it may not: its reader has to know what is asked for.
"""

from typing import Any

from contracts.message import Command, Message
from contracts.sealed_contents import CONTENTS
from contracts.topics import CARRIED_BY, TOPICS
from contracts.values import SYMBOL_PATTERN
from operations.schemas.headers import command_headers, event_headers
from operations.schemas.messages import data_schema

FILE = "baseline.json"

WIDENED = {r"^[A-Z0-9^][A-Z0-9.\-=^]{0,19}$": SYMBOL_PATTERN}
"""Released patterns, and what stands in their place: it accepts all that they did (ADR 22)."""

COMMAND_PREFIX = "qnt9.command."
_DESCRIPTIONS = ("title", "description", "examples")
"""Keywords that no program acts on; free to change."""

Shape = dict[str, Any]


def contract() -> dict[str, Any]:
    """What the contracts promise to those who read or write topics."""
    return {
        "topics": {
            topic.name: {
                "key": topic.key,
                "partitions": topic.partitions,
                "kept_days": topic.retention.days if topic.retention else None,
            }
            for topic in TOPICS
        },
        "headers": {
            "commands": _shape(command_headers()),
            "events": _shape(event_headers()),
        },
        "messages": {
            message.type: {"topic": topic.name, **_shape(data_schema(message))}
            for message, topic in sorted(CARRIED_BY.items(), key=_type)
        },
        "sealed": {
            purpose: _shape(content.model_json_schema())
            for purpose, content in sorted(CONTENTS.items())
        },
    }


def breaks(released: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """How `now` breaks what was released, one line each."""
    faults: list[str] = []
    for name, topic in released["topics"].items():
        faults += _topic_breaks(name, topic, now["topics"].get(name))
    for kind, shape in released["headers"].items():
        faults += _shape_breaks(f"headers of {kind}", shape, now["headers"][kind])
    for name, message in released["messages"].items():
        current = now["messages"].get(name)
        if current is None:
            faults.append(f"{name}: is gone")
            continue
        if current["topic"] != message["topic"]:
            faults.append(f"{name}: moved from {message['topic']} to {current['topic']}")
        is_event = not name.startswith(COMMAND_PREFIX)
        faults += _shape_breaks(name, message, current, open_enumerations=is_event)
    for purpose, shape in released.get("sealed", {}).items():
        if content := now["sealed"].get(purpose):
            faults += _shape_breaks(f"sealed for {purpose}", shape, content)
        else:
            faults.append(f"sealed for {purpose}: is gone")
    return faults


def _topic_breaks(name: str, was: Shape, now: Shape | None) -> list[str]:
    if now is None:
        return [f"topic {name}: is gone"]
    faults = [
        f"topic {name}: {what} was {was[what]!r}, is {now[what]!r}"
        for what in ("key", "partitions")
        if was[what] != now[what]
    ]
    longest = float("inf")
    if (now["kept_days"] or longest) < (was["kept_days"] or longest):
        faults.append(f"topic {name}: is kept {now['kept_days']} days, less than was released")
    return faults


def _shape_breaks(
    name: str, was: Shape, now: Shape, *, open_enumerations: bool = False
) -> list[str]:
    faults = []
    for field, schema in was["fields"].items():
        if field not in now["fields"]:
            faults.append(f"{name}: {field} is gone")
        elif not _same(schema, now["fields"][field], open_enumerations=open_enumerations):
            faults.append(f"{name}: {field} is not what was released")
        if (field in now["required"]) != (field in was["required"]):
            word = "required" if field in now["required"] else "optional"
            faults.append(f"{name}: {field} became {word}")
    added = sorted(now["fields"].keys() - was["fields"].keys())
    faults += [
        f"{name}: {field} is new and required" for field in added if field in now["required"]
    ]
    return faults


def _same(was: Any, now: Any, *, open_enumerations: bool) -> bool:
    """Whether a field is what was released, or an open enumeration with more values."""
    was, now = _for_programs(was), _for_programs(now)
    if was == now or not open_enumerations:
        return bool(was == now)
    if not isinstance(was, dict) or not isinstance(now, dict):
        return False
    before, after = _values(was), _values(now)
    if before is not None and after is not None:
        return before <= after and _without(was, "enum", "const") == _without(now, "enum", "const")
    choices, others = was.get("anyOf", []), now.get("anyOf", [])
    return (
        len(choices) == len(others) > 0
        and all(_same(a, b, open_enumerations=True) for a, b in zip(choices, others, strict=True))
        and _without(was, "anyOf") == _without(now, "anyOf")
    )


def _values(schema: Shape) -> set[str] | None:
    """The values of an enumeration of texts; None for anything else."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return set(values) if values and all(isinstance(each, str) for each in values) else None


def _without(schema: Shape, *names: str) -> Shape:
    return {name: value for name, value in schema.items() if name not in names}


def _shape(schema: dict[str, Any]) -> Shape:
    fields = {name: _for_programs(value) for name, value in schema.get("properties", {}).items()}
    return {"required": sorted(schema.get("required", ())), "fields": fields}


def _for_programs(node: Any) -> Any:
    match node:
        case dict():
            return {k: _for_programs(v) for k, v in node.items() if k not in _DESCRIPTIONS}
        case list():
            return [_for_programs(value) for value in node]
        case str():
            return WIDENED.get(node, node)
    return node


def _type(item: tuple[type[Message], Any]) -> tuple[bool, str]:
    """Commands first, as in the README."""
    return not issubclass(item[0], Command), item[0].type
