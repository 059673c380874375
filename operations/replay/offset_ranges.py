"""Which records a replay is about: a range of offsets in each partition, and how many are in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from infra.kafka.consumer_groups import Place
from infra.kafka.records import Record
from infra.runtime.clock import CLOCK
from operations.broker import Broker, Range
from operations.errors import OpsError, TurnedRoundError
from operations.replay.offset_spec import Moment, Offset, Point

Chooses = Callable[[Record], bool]
FUTURE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Resolved:
    """A range of each partition, and in words what the topic has not of what was asked for."""

    ranges: list[Range]
    clipped: tuple[str, ...] = ()


async def resolve(
    broker: Broker, topic: str, begin: Point, end: Point, only: Iterable[int] = ()
) -> Resolved:
    """From the first record at `begin` on, and before the first one at `end`.

    A time stands for the offset of the first record that is not older, so that the range stays
    what it is however often it is asked for, once all of it lies in the past. Raises
    `TurnedRoundError` when it ends before it begins.
    """
    partitions = sorted(set(only)) or range(await broker.partitions_of(topic))
    if unknown := set(partitions) - set(range(await broker.partitions_of(topic))):
        raise OpsError(f"{topic} has no partition {', '.join(map(str, sorted(unknown)))}")
    places = [(topic, number) for number in partitions]
    first, last = await broker.beginnings(places), await broker.ends(places)
    starts = await _offsets(broker, begin, places, last)
    untils = await _offsets(broker, end, places, last)
    ranges = [
        clamped(place[1], starts[place], untils[place], (first[place], last[place]))
        for place in places
    ]
    turned = any(untils[place] < starts[place] for place in places)
    if turned and all(each.is_empty for each in ranges):
        raise TurnedRoundError(f"the range of {topic} ends before it begins")
    return Resolved(ranges, tuple(clipped(begin, end, first, last)))


def clipped(
    begin: Point, end: Point, first: Mapping[Place, int], last: Mapping[Place, int]
) -> Iterator[str]:
    """What the words name and the topic has not. `beginning` is always there."""
    if isinstance(begin, Offset) and begin.number > 0:
        removed = [p for (_, p), at in first.items() if begin.number < at]
        if removed:
            yield f"offset {begin.number} was removed from {_partitions(removed)}"
        yield from _beyond(begin, last)
    if isinstance(end, Offset):
        yield from _beyond(end, last)
    elif end.milliseconds > CLOCK.time() * 1000 + FUTURE_MS:
        yield "its end is in the future; records from now on are not included"


def _beyond(point: Offset, last: Mapping[Place, int]) -> Iterator[str]:
    beyond = [p for (_, p), at in last.items() if point.number > at]
    if beyond:
        yield f"offset {point.number} is beyond the end of {_partitions(beyond)}"


def _partitions(numbers: list[int]) -> str:
    plural = "s" if len(numbers) > 1 else ""
    return f"partition{plural} {', '.join(map(str, sorted(numbers)))}"


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
