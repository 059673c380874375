"""A record of Kafka as it is read, and where records are."""

from collections.abc import Sequence
from typing import Protocol

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""


class Record(Protocol):
    """What is used of aiokafka's `ConsumerRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
