"""The topics as the broker has them: those of the topology, and two for each consumer of one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from contracts.topics import (
    DEAD_LETTERS_RETENTION,
    MAX_DEAD_LETTER_BYTES,
    MAX_RECORD_BYTES,
    RETAIN_FOREVER,
    TOPICS,
)


@dataclass(frozen=True)
class PhysicalTopic:
    """A topic as the broker knows it. Readers are (principal, group); watchers have no group."""

    name: str
    partitions: int
    retention: timedelta | None
    max_message_bytes: int
    writers: frozenset[str]
    readers: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    watchers: frozenset[str] = frozenset()
    transactions: frozenset[tuple[str, str]] = frozenset()
    """Who writes here in transactions: principal, and what its transactional ids begin with."""


def physical_topics() -> Iterator[PhysicalTopic]:
    """Every topic of the broker: the logical ones, and two for each consumer of one."""
    for topic in TOPICS:
        readers = frozenset((c.principal, c.group) for c in topic.consumers)
        yield PhysicalTopic(
            topic.name,
            topic.partitions,
            topic.retention,
            MAX_RECORD_BYTES,
            frozenset({topic.producer}),
            readers,
            frozenset(topic.watchers),
        )
        for consumer in topic.consumers:
            yield PhysicalTopic(
                topic.redrive(consumer),
                1,
                topic.retention,
                MAX_RECORD_BYTES,
                frozenset(),
                frozenset({(consumer.principal, consumer.group)}),
            )
            yield PhysicalTopic(
                topic.dead_letters(consumer),
                1,
                RETAIN_FOREVER if topic.retention is RETAIN_FOREVER else DEAD_LETTERS_RETENTION,
                MAX_DEAD_LETTER_BYTES,
                frozenset({consumer.principal}),
                watchers=frozenset({consumer.principal}),
                transactions=frozenset({(consumer.principal, consumer.group)}),
            )
