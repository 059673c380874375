"""The operations of `asyncapi.yaml`: which role sends and which receives on each channel."""

from collections.abc import Iterable, Iterator
from typing import Any

from contracts.topics import MESSAGES, TOPICS, Consumer
from operations.schemas.channels import DEAD_LETTERS, REDRIVE

_BINDING = "0.5.0"


def operations() -> dict[str, Any]:
    return dict([*_logical(), *_aside()])


def _logical() -> Iterator[tuple[str, Any]]:
    for topic in TOPICS:
        carried = [message.type for message in topic.carries]
        sends = "Acknowledged by every in-sync replica before it counts as sent."
        yield (
            f"{topic.producer}.sends.{topic.name}",
            _operation("send", topic.name, topic.producer, sends, carried),
        )
        for consumer in topic.consumers:
            receives = (
                "At least once, in order per key; what cannot be handled becomes a dead letter."
            )
            yield (
                f"{consumer.name}.receives.{topic.name}",
                _operation("receive", topic.name, consumer.principal, receives, carried)
                | {"bindings": _group(consumer)},
            )
        for broadcast_reader in topic.watchers:
            watches = "Every process all of it, in no group, from a little before its end."
            yield (
                f"{broadcast_reader}.watches.{topic.name}",
                _operation("receive", topic.name, broadcast_reader, watches, carried),
            )


def _aside() -> Iterator[tuple[str, Any]]:
    """The operator writes redrives and reads dead letters; consumers do the reverse."""
    everything, dead_letter = list(MESSAGES), ["dead-letter"]
    for name, action, channel, role, summary, messages in (
        ("operator.sends.redrive", "send", REDRIVE, "operator", "By `qnt9 dlq`.", everything),
        (
            "consumer.receives.redrive",
            "receive",
            REDRIVE,
            "consumer",
            "Like the topic itself, in the same group.",
            everything,
        ),
        (
            "consumer.sends.dead-letters",
            "send",
            DEAD_LETTERS,
            "consumer",
            "Acknowledged before the offset is committed.",
            dead_letter,
        ),
        (
            "operator.receives.dead-letters",
            "receive",
            DEAD_LETTERS,
            "operator",
            "By `qnt9 dlq`.",
            dead_letter,
        ),
    ):
        yield name, _operation(action, channel, role, summary, messages)


def _operation(
    action: str, channel: str, role: str, summary: str, messages: Iterable[str]
) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "tags": [{"name": role}],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _group(consumer: Consumer) -> dict[str, Any]:
    return {
        "kafka": {
            "groupId": {"type": "string", "const": consumer.group},
            "bindingVersion": _BINDING,
        }
    }
