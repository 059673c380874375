"""The channels of `asyncapi.yaml`: one a topic, and one each for all redrives and dead letters."""

from datetime import timedelta
from typing import Any

from contracts.topics import (
    MAX_DEAD_LETTER_BYTES,
    MAX_RECORD_BYTES,
    MESSAGES,
    RETAIN_FOREVER,
    TOPICS,
    Topic,
)

REDRIVE = "redrive"
DEAD_LETTERS = "dead-letters"

_BINDING = "0.5.0"


def channels() -> dict[str, Any]:
    return {topic.name: _logical(topic) for topic in TOPICS} | {
        REDRIVE: _redrive(),
        DEAD_LETTERS: _dead_letters(),
    }


def _logical(topic: Topic) -> dict[str, Any]:
    kind = "Commands" if topic.name.endswith(".commands") else "Events"
    readers = ", ".join([*(consumer.name for consumer in topic.consumers), *topic.watchers])
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"{kind} by {topic.producer} for {readers}. Key: {topic.key}.",
        "messages": {m.type: {"$ref": f"#/components/messages/{m.type}"} for m in topic.carries},
        "bindings": _kafka(topic.partitions, topic.retention, MAX_RECORD_BYTES),
        "x-key": topic.key,
        "x-retention": _duration(topic.retention),
        "x-delivery": {
            "guarantee": "at least once",
            "deduplicate": "ce_id",
            "order": "per key",
        },
    }


def _redrive() -> dict[str, Any]:
    return {
        "address": "{consumption}.redrive",
        "title": "Redrive",
        "description": (
            "Dead letters that an operator sends to the consumer that failed, and to no other. "
            "Kept as long as the topic they came from."
        ),
        "parameters": _consumptions(),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in MESSAGES},
        "bindings": {"kafka": {"partitions": 1, "bindingVersion": _BINDING}},
    }


def _dead_letters() -> dict[str, Any]:
    return {
        "address": "{consumption}.dlq",
        "title": "Dead letters",
        "description": "Records that a consumer cannot execute, for an operator.",
        "parameters": _consumptions(),
        "messages": {"dead-letter": {"$ref": "#/components/messages/dead-letter"}},
        "bindings": _kafka(1, RETAIN_FOREVER, MAX_DEAD_LETTER_BYTES),
        "x-retention": _duration(RETAIN_FOREVER),
    }


def _consumptions() -> dict[str, Any]:
    names = [f"{topic.name}.{consumer.name}" for topic in TOPICS for consumer in topic.consumers]
    return {"consumption": {"description": "`<topic>.<consumer>`.", "enum": names}}


def _kafka(partitions: int, retention: timedelta | None, most: int) -> dict[str, Any]:
    kept = -1 if retention is None else int(retention.total_seconds() * 1000)
    return {
        "kafka": {
            "partitions": partitions,
            "topicConfiguration": {
                "cleanup.policy": ["delete"],
                "retention.ms": kept,
                "max.message.bytes": most,
            },
            "bindingVersion": _BINDING,
        }
    }


def _duration(retention: timedelta | None) -> str:
    return f"P{retention.days}D" if retention else "as long as the audit log"
