"""Consumer groups as an operator sees and sets them, and topics of an operator's own. Blocks."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not by name
    AdminClient,
    NewTopic,
)

from infra.kafka.operator_client import SECONDS, Operator, UnreachableError
from infra.observability.error_text import describe

STABLE_SECONDS = 60.0
"""Longer than Kafka lets a transaction be open (`infra.kafka.transactional_producer`)."""
ASK_AGAIN_SECONDS = 0.1

Place = tuple[str, int]
"""A topic and one of its partitions."""


class GroupsError(Exception):
    """The broker could not be asked, or refused; the message says what it answered."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The next record of a partition that a group will read, and a note beside it."""

    offset: int
    note: str = ""


def partitions(admin: Operator) -> dict[str, int]:
    """Return how many partitions each topic has. Blocks; raises `GroupsError`."""
    try:
        found = admin.topics()
    except UnreachableError as error:
        raise GroupsError(f"Kafka does not answer: {error}") from error
    return {name: len(topic.partitions) for name, topic in found.items()}


def create_topic(admin: AdminClient, name: str, partitions: int, max_message_bytes: int) -> None:
    """Create a topic in which records keep their times, however old, and are kept. Blocks."""
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "max.message.bytes": str(max_message_bytes),
        "message.timestamp.type": "CreateTime",
    }
    new = NewTopic(name, partitions, -1, config=settings)
    _result(admin.create_topics([new], request_timeout=SECONDS)[name])


def group_ids(admin: AdminClient) -> list[str]:
    """Return the names of all groups. Blocks; raises `GroupsError`."""
    found = _result(admin.list_consumer_groups(request_timeout=SECONDS))
    return sorted(group.group_id for group in found.valid)


def members_of(admin: AdminClient, groups: Iterable[str]) -> dict[str, int]:
    """Return how many members each group has now; an unknown group has none. Blocks."""
    wanted = list(groups)
    if not wanted:
        return {}
    asked = admin.describe_consumer_groups(wanted, request_timeout=SECONDS)
    return {group: len(_result(future).members) for group, future in asked.items()}


def committed(admin: AdminClient, group: str) -> dict[Place, Committed]:
    """Return where a group stands, by partition; nothing for what it never committed. Blocks.

    Raises `GroupsError`, also when a transaction with offsets of the group does not end.
    """
    asked = [ConsumerGroupTopicPartitions(group)]
    ends = time.monotonic() + STABLE_SECONDS
    while True:
        answer = _result(
            admin.list_consumer_group_offsets(asked, require_stable=True, request_timeout=SECONDS)[
                group
            ]
        )
        faults = [place.error for place in answer.topic_partitions if place.error]
        if not faults:
            break
        if time.monotonic() > ends:
            raise GroupsError(f"Kafka does not say where {group} stands: {faults[0].str()}")
        time.sleep(ASK_AGAIN_SECONDS)
    return {
        (place.topic, place.partition): Committed(place.offset, place.metadata or "")
        for place in answer.topic_partitions
        if place.offset >= 0
    }


def set_committed(admin: AdminClient, group: str, offsets: Mapping[Place, Committed]) -> None:
    """Set a group's offsets in one request, which the broker refuses while it has members.

    Blocks.
    """
    places = [
        TopicPartition(topic, partition, to.offset, to.note)
        for (topic, partition), to in offsets.items()
    ]
    asked = [ConsumerGroupTopicPartitions(group, places)]
    answer = _result(
        admin.alter_consumer_group_offsets(asked, request_timeout=SECONDS)[group]
    ).topic_partitions
    if faults := {str(place.error) for place in answer if place.error}:
        raise GroupsError(f"the broker refused to set offsets of {group}: {', '.join(faults)}")


def delete_group(admin: AdminClient, group: str) -> None:
    """Delete a group and its offsets. Blocks; raises `GroupsError`."""
    _result(admin.delete_consumer_groups([group], request_timeout=SECONDS)[group])


def _result(future: Any) -> Any:
    try:
        return future.result(timeout=SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise GroupsError(f"Kafka: {describe(error)}") from error
