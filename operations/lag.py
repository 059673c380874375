"""How far each group is behind, partition by partition."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.topics import TOPICS, Consumer, topics_of
from infra.kafka.consumer_groups import Committed, Place
from operations.broker import Broker

PROGRESS_PREFIX = "qnt9.ops."
"""Groups in which replays keep where they are; nobody reads in them."""


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of one group. `committed` is None before the first commit."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    members: int


async def measure(broker: Broker) -> list[Lag]:
    """Every group of the topology on all its topics, every other on what it has committed."""
    partitions = await broker.partitions()
    expected = expected_places(partitions)
    names = {*expected, *(g for g in await broker.groups() if not g.startswith(PROGRESS_PREFIX))}
    members = await broker.members(sorted(names))
    committed = {group: await broker.committed(group) for group in names}
    places = {
        place
        for group in names
        for place in (*expected.get(group, ()), *committed[group])
        if place[0] in partitions
    }
    begins, ends = await broker.beginnings(places), await broker.ends(places)
    return [
        lag_of(group, place, committed[group].get(place), (begins[place], ends[place]), members)
        for group in sorted(names)
        for place in sorted({*expected.get(group, ()), *committed[group]} & places)
    ]


def lag_of(
    group: str,
    place: Place,
    committed: Committed | None,
    bounds: tuple[int, int],
    members: Mapping[str, int],
) -> Lag:
    """Whoever has not committed begins at the beginning; what retention removed is no lag."""
    begin, end = bounds
    at = committed.offset if committed else None
    behind = max(0, end - max(begin, at or 0))
    return Lag(group, *place, at, end, behind, members.get(group, 0))


def expected_places(partitions: Mapping[str, int]) -> dict[str, list[Place]]:
    """What each consumer of the topology reads: its topics and what is redriven to it."""
    return {
        consumer.group: [
            (name, number)
            for topic in topics_of(consumer)
            for name in (topic.name, topic.redrive(consumer))
            for number in range(partitions.get(name, 0))
        ]
        for consumer in consumers()
    }


def consumers() -> list[Consumer]:
    """Every consumer of the topology."""
    return sorted({c for topic in TOPICS for c in topic.consumers}, key=lambda c: c.name)
