"""Which records a replay is about: a range of offsets in each partition, and how many are in it."""

from collections.abc import Callable, Iterable, Mapping

from infra.kafka.groups import Place
from infra.kafka.records import Record
from infra.ops.broker import Broker, Range
from infra.ops.errors import OpsError
from infra.ops.points import Moment, Offset, Point

Chooses = Callable[[Record], bool]


async def resolve(
    broker: Broker, topic: str, begin: Point, end: Point, only: Iterable[int] = ()
) -> list[Range]:
    """From the first record at `begin` on, and before the first one at `end`.

    A time stands for the offset of the first record that is not older, so that the range stays
    what it is however often it is asked for, once all of it lies in the past.
    """
    partitions = sorted(set(only)) or range(await broker.partitions_of(topic))
    if unknown := set(partitions) - set(range(await broker.partitions_of(topic))):
        raise OpsError(f"{topic} has no partition {', '.join(map(str, sorted(unknown)))}")
    places = [(topic, number) for number in partitions]
    first, last = await broker.beginnings(places), await broker.ends(places)
    starts = await _offsets(broker, begin, places, last)
    untils = await _offsets(broker, end, places, last)
    return [
        clamped(place[1], starts[place], untils[place], (first[place], last[place]))
        for place in places
    ]


def clamped(partition: int, start: int, until: int, bounds: tuple[int, int]) -> Range:
    """Within what there is. An empty range stands where it would have begun."""
    first, last = bounds
    start = min(max(start, first), last)
    return Range(partition, start, max(start, min(until, last)))


async def count(
    broker: Broker,
    topic: str,
    ranges: Iterable[Range],
    chooses: Chooses | None,
    seen: Callable[[int], None] = lambda _: None,
) -> dict[int, int]:
    """How many records are in each range; read one by one only if they are chosen by content.

    Offsets have no gaps: nothing that writes here uses transactions, and no topic is compacted.
    """
    ranges = list(ranges)
    counts = {each.partition: 0 for each in ranges}
    if chooses is None:
        return {each.partition: each.until - each.start for each in ranges}
    async for batch in broker.read(topic, ranges):
        counts[batch.partition] += sum(map(chooses, batch.records))
        seen(len(batch.records))
    return counts


async def _offsets(
    broker: Broker, point: Point, places: list[Place], ends: Mapping[Place, int]
) -> dict[Place, int]:
    match point:
        case Offset(number=number):
            return dict.fromkeys(places, number)
        case Moment(milliseconds=milliseconds):
            found = await broker.firsts_since(places, milliseconds)
            return {place: ends[place] if (at := found[place]) is None else at for place in places}
