"""What a replay may read and write. Pure; each raises `NotAllowedError` with what to do instead."""

import re

from contracts.message import Command
from contracts.physical_topics import physical_topics
from contracts.topics import TOPICS
from operations.errors import NotAllowedError
from operations.lag import PROGRESS_PREFIX, consumers

_NAME = re.compile(r"^[A-Za-z0-9._-]{1,249}$")


def check_source(topic: str) -> None:
    """Not a topic whose records make somebody act."""
    for each in TOPICS:
        if each.name == topic and all(issubclass(message, Command) for message in each.carries):
            raise NotAllowedError(
                f"{topic} carries commands, and a replay would carry them out: "
                "what failed is sent again with `qnt9 dlq redrive`"
            )
        for consumer in each.consumers:
            if topic in {each.redrive(consumer), each.dead_letters(consumer)}:
                raise NotAllowedError(
                    f"{topic} is for dead letters: they are sent again with `qnt9 dlq redrive`"
                )


def check_topic(destination: str, source: str) -> None:
    """Not a topic that consumers of the system read, nor one that cannot be."""
    if not _NAME.match(destination) or destination in {".", ".."}:
        raise NotAllowedError(f"{destination!r} cannot be the name of a topic")
    if destination.startswith("__") or destination in {t.name for t in physical_topics()}:
        raise NotAllowedError(
            f"{destination} is read by consumers of the system: name a topic of your own"
        )
    if destination == source:
        raise NotAllowedError("a topic cannot be replayed into itself")


def check_group(group: str) -> None:
    """Not a group of the system."""
    if group in {consumer.group for consumer in consumers()} or group.startswith(PROGRESS_PREFIX):
        raise NotAllowedError(f"{group} is a group of the system: name a fresh one")
