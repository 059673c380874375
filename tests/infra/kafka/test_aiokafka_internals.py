"""The private names of aiokafka that this product uses: an upgrade that moves them fails here."""

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from aiokafka.errors import ProducerFenced

from infra.kafka.aiokafka_internals import is_in_transaction, partition_states
from infra.kafka.transactional_producer import TransactionalWriter


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (GroupCoordinator.fetch_committed_offsets, ["self", "partitions"]),
        (Fetcher.request_offset_reset, ["self", "tps", "strategy"]),
        (Assignment.state_value, ["self", "tp"]),
    ],
)
def test_private_method_has_the_parameters_that_are_given(
    function: Any, parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@pytest.fixture
async def consumer() -> AsyncIterator[AIOKafkaConsumer]:
    """One that is not started."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False)
    yield consumer
    await consumer.stop()


async def test_private_attributes_exist(consumer: AIOKafkaConsumer) -> None:
    assert {"_coordinator", "_fetcher"} <= vars(consumer).keys()
    assert callable(consumer._client.close)
    assert isinstance(TopicPartitionState.has_valid_position, property)
    assert isinstance(TopicPartitionState.position, property)


async def test_states_are_those_of_the_assigned_partitions(consumer: AIOKafkaConsumer) -> None:
    assert partition_states(consumer) == {}
    place = TopicPartition("a", 0)
    consumer._subscription.assign_from_user([place])
    assert partition_states(consumer).keys() == {place}


@pytest.fixture
async def unretrieved() -> list[dict[str, Any]]:
    """What asyncio reports of futures whose exception nobody has asked for."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    return found


@pytest.mark.parametrize("closed", [True, False])
async def test_error_of_a_fenced_writer_is_retrieved_when_it_is_closed(
    unretrieved: list[dict[str, Any]], closed: bool
) -> None:
    """`closed` false shows that asyncio reports it otherwise."""
    producer = AIOKafkaProducer(transactional_id="group/topic/0")
    manager = producer._txn_manager
    manager.set_pid_and_epoch(1, 1)
    manager.begin_transaction()
    assert is_in_transaction(producer)
    manager.fatal_error(ProducerFenced())
    assert not is_in_transaction(producer)
    producer._closed = True  # it was never started
    if closed:
        await TransactionalWriter(producer, "group").close()
    del producer, manager
    gc.collect()
    assert [type(each["exception"]) for each in unretrieved] == [] if closed else [ProducerFenced]
