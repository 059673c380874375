import asyncio
from collections.abc import Iterable

import pytest

from infra.kafka.batching_publisher import Acknowledged, BatchingPublisher
from infra.kafka.producer import (
    BrokerUnavailableError,
    IndeterminateError,
    Outgoing,
    Producer,
)

TOPIC = "watchlist.commands"
MOST = 3


class MemoryKafka(Producer):
    """Takes three records a batch while it is open; whoever tests acknowledges them."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.batches: list[list[bytes]] = []
        self.sent: list[Acknowledged] = []
        self.there = True

    @property
    def connected(self) -> bool:
        return self.there

    async def partition_of(self, topic: str, key: bytes) -> int:  # noqa: ARG002
        return key[0] % 2

    async def enqueue_batch(
        self,
        topic: str,  # noqa: ARG002
        partition: int,  # noqa: ARG002
        records: Iterable[Outgoing],
    ) -> tuple[int, Acknowledged]:
        await self.open.wait()
        taken = list(records)[:MOST]
        acknowledged: Acknowledged = asyncio.get_running_loop().create_future()
        self.batches.append([record.value for record in taken])
        self.sent.append(acknowledged)
        return len(taken), acknowledged


@pytest.fixture
def kafka() -> MemoryKafka:
    return MemoryKafka()


async def publish(
    batches: BatchingPublisher, *values: bytes, key: bytes = b"a"
) -> list[Acknowledged]:
    return [await batches.publish(TOPIC, Outgoing(key, value, [])) for value in values]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_published_in_one_turn_leaves_together_and_in_order(
    kafka: MemoryKafka,
) -> None:
    kafka.open.set()
    waiters = await publish(BatchingPublisher(kafka), b"1", b"2", b"3", b"4")
    await turns()
    assert kafka.batches == [[b"1", b"2", b"3"], [b"4"]]
    assert not any(waiter.done() for waiter in waiters)
    kafka.sent[0].set_result(None)
    await turns()
    assert [waiter.done() for waiter in waiters] == [True, True, True, False]


async def test_partitions_do_not_wait_for_each_other(kafka: MemoryKafka) -> None:
    kafka.open.set()
    batches = BatchingPublisher(kafka)
    await publish(batches, b"1", key=b"a")
    await publish(batches, b"2", key=b"b")
    await turns()
    assert sorted(kafka.batches) == [[b"1"], [b"2"]]


async def test_who_gave_up_before_it_was_handed_over_has_sent_nothing(kafka: MemoryKafka) -> None:
    batches = BatchingPublisher(kafka)
    await publish(batches, b"1")
    await turns()  # the first batch waits for its turn, as while the broker is away
    later = await publish(batches, b"2", b"3")
    for waiter in later:
        waiter.cancel()
    kafka.open.set()
    await turns()
    assert kafka.batches == [[b"1"]], "no batch without a record"
    await publish(batches, b"4")
    await turns()
    assert kafka.batches == [[b"1"], [b"4"]]


async def test_a_failed_batch_is_reported_to_all_who_wait_for_it(kafka: MemoryKafka) -> None:
    kafka.open.set()
    waiters = await publish(BatchingPublisher(kafka), b"1", b"2")
    await turns()
    kafka.sent[0].set_exception(IndeterminateError("not acknowledged in time"))
    for waiter in waiters:
        with pytest.raises(IndeterminateError):
            await waiter


async def test_without_a_broker_nothing_is_queued(kafka: MemoryKafka) -> None:
    kafka.there = False
    with pytest.raises(BrokerUnavailableError):
        await publish(BatchingPublisher(kafka), b"1")
