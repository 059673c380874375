"""The headers of a record as JSON Schema: what `contracts.envelope` reads and writes."""

from typing import Any

from contracts.envelope import CONTENT_TYPE

_UUID = {"type": "string", "format": "uuid"}
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}

_OF_EVERY_MESSAGE: dict[str, Any] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": _UUID | {"description": "Deduplicate on this: delivery is at least once."},
    "ce_source": _TEXT | {"description": "Who made it.", "examples": ["urn:qnt9:gateway"]},
    "ce_type": _TEXT | {"description": "`qnt9.<subject>.<name>.v<version>`."},
    "ce_time": _TIME,
    "ce_dataschema": _TEXT | {"description": "`urn:qnt9:schema:<ce_type>`."},
    "content-type": {"const": CONTENT_TYPE.decode()},
    "ce_subject": _TEXT | {"description": "What it is about; the record's key too."},
    "ce_correlationid": _TEXT | {"description": "The request that began it all (X-Request-ID)."},
    "ce_causationid": _TEXT | {"description": "The message or request that caused this one."},
    "ce_actorid": _UUID | {"description": "The signed-in user who acted."},
    "traceparent": _TEXT | {"description": "W3C trace context."},
    "tracestate": _TEXT | {"description": "W3C trace context."},
}
_OF_COMMANDS: dict[str, Any] = {
    "ce_replyto": _TEXT | {"description": "The cache server's channel that hears the outcome."},
    "ce_deadline": _TIME
    | {"description": "After this time the command is refused without an effect."},
    "ce_fingerprint": _TEXT | {"description": "HMAC of the body that came with a key."},
    "ce_client": _TEXT | {"description": "Who asked, `{ip, agent}`, encrypted (ADR 3)."},
}
_REQUIRED = [
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_time",
    "ce_dataschema",
    "content-type",
]
_TIMES = "first_failure", "last_failure"
_NUMBERS = "attempts", "partition", "offset", "timestamp"
_TEXTS = "reason", "consumer", "topic"


def event_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in Kafka's binary mode; UTF-8, without U+0000.",
        "required": _REQUIRED,
        "properties": _OF_EVERY_MESSAGE,
    }


def command_headers() -> dict[str, Any]:
    return event_headers() | {"properties": _OF_EVERY_MESSAGE | _OF_COMMANDS}


def dead_letter_headers(prefix: str) -> dict[str, Any]:
    """What is added to the headers that the record came with."""
    added: dict[str, Any] = {
        **{f"{prefix}{name}": _TEXT for name in _TEXTS},
        **{f"{prefix}{name}": {"type": "string", "pattern": r"^\d+$"} for name in _NUMBERS},
        **{f"{prefix}{name}": _TIME for name in _TIMES},
    }
    cut = {"type": "string", "description": "The size before the value was cut to 1 MiB."}
    return {
        "type": "object",
        "description": "The original headers, and why, how often, since when and where from.",
        "required": sorted(added),
        "properties": dict(sorted(added.items())) | {f"{prefix}cut_from_bytes": cut},
    }
