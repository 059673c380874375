"""What this product uses of aiokafka that has no public name, all of it.

An upgrade may rename or remove any of it: tests/infra/kafka/test_aiokafka_internals.py says so.
"""

# ruff: noqa: SLF001

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

Offsets = dict[TopicPartition, OffsetAndMetadata]


async def committed_offsets(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> Offsets:
    """Return what the group has committed, with the notes that `committed` drops."""
    found: Offsets = await consumer._coordinator.fetch_committed_offsets(partitions)
    return found


async def close_connections(consumer: AIOKafkaConsumer) -> None:
    """For a consumer whose `stop` was cancelled: it leaves them open, with a task that goes on."""
    await consumer._client.close()


def partition_states(consumer: AIOKafkaConsumer) -> dict[TopicPartition, Any]:
    """Of what is assigned; `AIOKafkaConsumer.position` would wait for one that is not known yet."""
    assigned = consumer.assignment()
    if not assigned:
        return {}
    states = consumer._subscription.subscription.assignment
    return {partition: states.state_value(partition) for partition in assigned}


def begin_at_committed(consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
    """Fetch from where the group has committed, as after an assignment."""
    consumer._fetcher.request_offset_reset([partition], None)


def is_in_transaction(producer: AIOKafkaProducer) -> bool:
    """Return whether a transaction has begun. There is no public way to ask."""
    inside: bool = producer._txn_manager.is_in_transaction()
    return inside


def retrieve_transaction_error(producer: AIOKafkaProducer) -> BaseException | None:
    """Return the error that ended the transaction, if any.

    asyncio reports the exception of a future that nobody has asked, and only
    `commit_transaction` asks this one: a writer that was fenced before that never does.
    """
    waiter = producer._txn_manager.wait_for_transaction_end()
    if waiter is None or not waiter.done() or waiter.cancelled():
        return None
    error: BaseException | None = waiter.exception()
    return error
