"""The choice of a partition, as Kafka's own clients make it (murmur2 of the key)."""

import random
from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2


def partition_by_key(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """Return the partition that Kafka's own clients choose.

    Without a key, any that has a leader.
    """
    if key is None:
        return random.choice(available or partitions)  # noqa: S311  # to spread load
    return partitions[partition_of_key(key, len(partitions))]


@lru_cache(maxsize=65_536)
def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a key's records.

    Remembered: the hash in Python costs more than the rest of the choice.
    """
    partition: int = (murmur2(key) & 0x7FFF_FFFF) % partitions
    return partition
