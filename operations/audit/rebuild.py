"""The audit log from its topics once more: its consumer reads all of them from their beginning."""

from dataclasses import dataclass

from contracts.operator_events import OpsReplayed
from contracts.topics import AUDIT, topics_of
from infra.kafka.consumer_groups import Committed, Place
from operations import ops_events
from operations.broker import Broker
from operations.errors import NotAllowedError
from operations.record_producer import Sender


@dataclass(frozen=True, slots=True)
class Extent:
    """Where each partition that the log is made of begins and ends."""

    begins: dict[Place, int]
    ends: dict[Place, int]

    @property
    def records(self) -> int:
        return sum(end - self.begins[place] for place, end in self.ends.items())

    def ranges_of(self, topic: str) -> list[tuple[int, int, int]]:
        """Partition, first offset and the offset before which it ends."""
        return [
            (partition, self.begins[name, partition], end)
            for (name, partition), end in sorted(self.ends.items())
            if name == topic and end > self.begins[name, partition]
        ]


async def extent(broker: Broker) -> Extent:
    """Of the event topics and what was redriven of them."""
    partitions = await broker.partitions()
    names = [n for topic in topics_of(AUDIT) for n in (topic.name, topic.redrive(AUDIT))]
    places = [(name, p) for name in names for p in range(partitions.get(name, 0))]
    return Extent(await broker.beginnings(places), await broker.ends(places))


async def read_again(
    broker: Broker, sender: Sender, found: Extent, by: ops_events.OperatorContext
) -> None:
    """Put the log's consumer before all of it. Raises `NotAllowedError` while it is at work.

    It adds what is not there and leaves alone what is, so it may be stopped and started meanwhile.
    """
    if (await broker.members([AUDIT.group])).get(AUDIT.group):
        raise NotAllowedError(
            f"{AUDIT.group} is at work: stop every audit worker first (`qnt9 stop audit`)"
        )
    for topic in topics_of(AUDIT):
        if ranges := found.ranges_of(topic.name):
            event = OpsReplayed(
                operator=by.operator,
                reason=by.reason,
                topic=topic.name,
                destination=f"group {AUDIT.group}",
                ranges=ranges,
                records=sum(until - start for _, start, until in ranges),
            )
            await ops_events.record(sender, event, about=topic.name)
    begins = {place: Committed(offset) for place, offset in found.begins.items()}
    await broker.set_committed(AUDIT.group, begins)
