"""Records that are published in one turn of the event loop leave together, one batch a partition.

What a record costs by itself (a future, a time-out, a place in a queue) is most of what publishing
costs. One batch after the other is handed over in each partition: the order is that of `publish`.
"""

import asyncio
from dataclasses import dataclass, field

from infra.kafka.producer import BrokerUnavailableError, Outgoing, Producer

Acknowledged = asyncio.Future[None]


@dataclass(eq=False)
class _Lane:
    """What waits for one partition, in order."""

    topic: str
    partition: int
    waiting: dict[Acknowledged, Outgoing] = field(default_factory=dict)
    sending: asyncio.Task[None] | None = None


class BatchingPublisher:
    """Publishes through one producer."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._lanes: dict[tuple[str, int], _Lane] = {}

    async def publish(self, topic: str, record: Outgoing) -> Acknowledged:
        """Return a future that is done when the broker has the record, or fails as `send` does.

        Cancelled, it takes back what has not been handed over yet. Raises `BrokerUnavailableError`.
        """
        if not self._producer.connected:
            raise BrokerUnavailableError
        partition = await self._producer.partition_of(topic, record.key)
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = _Lane(topic, partition)
        acknowledged: Acknowledged = asyncio.get_running_loop().create_future()
        lane.waiting[acknowledged] = record
        if lane.sending is None:
            lane.sending = asyncio.create_task(self._send(lane))
        return acknowledged

    async def _send(self, lane: _Lane) -> None:
        """Until nothing waits. What was cancelled meanwhile is left out."""
        try:
            while lane.waiting:
                for gone in [each for each in lane.waiting if each.done()]:
                    del lane.waiting[gone]
                if lane.waiting:
                    await self._send_head(lane)
        finally:
            lane.sending = None

    async def _send_head(self, lane: _Lane) -> None:
        offered = list(lane.waiting.items())
        try:
            count, acknowledged = await self._producer.enqueue_batch(
                lane.topic, lane.partition, [record for _, record in offered]
            )
        except Exception as error:  # noqa: BLE001  # every one of them hears of it
            taken = offered
            _fail([waiter for waiter, _ in taken], error)
        else:
            taken = offered[:count]
            waiters = [waiter for waiter, _ in taken]
            acknowledged.add_done_callback(lambda done: _settle(waiters, done))
        for waiter, _ in taken:
            lane.waiting.pop(waiter, None)


def _settle(waiters: list[Acknowledged], done: asyncio.Future[None]) -> None:
    if done.cancelled():
        _fail(waiters, BrokerUnavailableError("the producer was closed"))
    elif error := done.exception():
        _fail(waiters, error)
    else:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _fail(waiters: list[Acknowledged], error: BaseException) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
