"""How far the database is behind Kafka: nothing is changed here.

Compared by content, so that it works with any way of making a backup: what a group has read and
the database does not know was lost, and so is an event in its topic that the outbox, the audit log
and earlier recoveries do not have. Partitions are read from their ends backwards until `WINDOW`
records in a row are known: no batch of a consumer, and no turn of a relay, is larger.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from contracts.envelope import Envelope
from contracts.topics import AUDIT, TOPICS, Consumer
from infra.kafka.consumer_groups import Place
from infra.kafka.records import Record
from infra.messaging.consumer_policy import MAX_COMMANDS
from infra.messaging.database_age import messages_of
from infra.messaging.restored_database import unknown_messages
from infra.postgres.pool import Connection
from operations.broker import Broker, Range
from operations.lag import consumers, expected_places
from operations.recovery import store

WINDOW = 2_000

Messages = list[tuple[Record, Envelope]]
Unknown = Callable[[Messages], Awaitable[set[UUID]]]


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of one partition that the database has lost: some of those in [point, until).

    `cut`: retention has removed records before `begin`, and what was lost may begin among those.
    """

    place: Place
    begin: int
    point: int
    until: int
    lost: int
    cut: bool


@dataclass(slots=True)
class Survey:
    """What the database has lost, by consumer and by event topic, and the ids of the commands."""

    groups: dict[Consumer, list[Gap]] = field(default_factory=dict)
    events: list[Gap] = field(default_factory=list)
    messages: set[UUID] = field(default_factory=set)
    in_hand: dict[Consumer, dict[Place, tuple[int, int]]] = field(default_factory=dict)
    """What a group may have handled without committing it: from its offset to where that ends."""

    @property
    def is_current(self) -> bool:
        """Whether nothing was lost."""
        return not self.groups and not self.events


async def survey(
    broker: Broker, conn: Connection, seen: Callable[[int], None] = lambda _: None
) -> Survey:
    """Compare every group that keeps account of what it handles, and every event topic."""
    found = Survey()
    partitions = await broker.partitions()
    expected = expected_places(partitions)
    for consumer in consumers():
        if not consumer.inbox and consumer != AUDIT:
            continue
        committed = await broker.committed(consumer.group)
        read = {p: committed[p].offset for p in expected[consumer.group] if p in committed}
        # A topic whose end was cut off has fewer records than the group has read.
        tops = await broker.ends(read)
        ends = {place: min(offset, tops[place]) for place, offset in read.items()}
        if consumer.inbox:
            found.in_hand[consumer] = {
                place: (at, min(at + MAX_COMMANDS, tops[place])) for place, at in ends.items()
            }
        unknown = _lost_messages(conn, consumer, found.messages)
        if gaps := await _scan(broker, ends, partial(_messages, consumer), unknown, seen):
            found.groups[consumer] = gaps
    for topic in TOPICS:
        if topic.producer == "relay":
            places = [(topic.name, number) for number in range(partitions.get(topic.name, 0))]
            ends = await broker.ends(places)
            found.events += await _scan(
                broker, ends, partial(_messages, AUDIT), _lost_events(conn), seen
            )
    return found


def _messages(consumer: Consumer, records: list[Record]) -> Messages:
    return list(messages_of(consumer, records))


def _lost_messages(conn: Connection, consumer: Consumer, messages: set[UUID]) -> Unknown:
    async def unknown(found: Messages) -> set[UUID]:
        ids = [envelope.id for _, envelope in found]
        lost = await unknown_messages(conn, consumer.name, ids)
        if consumer.inbox:
            messages.update(lost)
        return lost

    return unknown


def _lost_events(conn: Connection) -> Unknown:
    async def unknown(found: Messages) -> set[UUID]:
        return await store.lost_events(conn, [envelope for _, envelope in found])

    return unknown


async def _scan(
    broker: Broker,
    ends: Mapping[Place, int],
    readable: Callable[[list[Record]], Messages],
    unknown: Unknown,
    seen: Callable[[int], None],
) -> list[Gap]:
    """Read each partition backwards until a whole window is known."""
    begins = await broker.beginnings(ends)
    tops = {place: end for place, end in ends.items() if end > begins[place]}
    points: dict[Place, int] = {}
    lost: dict[Place, int] = {}
    while tops:
        bottoms = {place: max(begins[place], top - WINDOW) for place, top in tops.items()}
        async for place, records in _windows(broker, bottoms, dict(tops), seen):
            offsets = await _lost_offsets(readable(records), unknown)
            if offsets:
                points[place] = min(offsets)
                lost[place] = lost.get(place, 0) + len(offsets)
            if not offsets or bottoms[place] == begins[place]:
                del tops[place]
            else:
                tops[place] = bottoms[place]
    return [
        Gap(place, begins[place], point, ends[place], lost[place], cut=0 < begins[place] == point)
        for place, point in sorted(points.items())
    ]


async def _lost_offsets(messages: Messages, unknown: Unknown) -> list[int]:
    """The offsets of the messages that the database does not know."""
    missing = await unknown(messages) if messages else set()
    return [record.offset for record, envelope in messages if envelope.id in missing]


async def _windows(
    broker: Broker,
    bottoms: Mapping[Place, int],
    tops: Mapping[Place, int],
    seen: Callable[[int], None],
) -> AsyncIterator[tuple[Place, list[Record]]]:
    """All records of each partition from its bottom on and before its top, topic by topic."""
    for topic in sorted({topic for topic, _ in tops}):
        ranges = [Range(p, bottoms[t, p], top) for (t, p), top in tops.items() if t == topic]
        windows: dict[int, list[Record]] = {each.partition: [] for each in ranges}
        async for batch in broker.read(topic, ranges, at_most=WINDOW):
            windows[batch.partition] += batch.records
            seen(len(batch.records))
        for partition, records in windows.items():
            yield (topic, partition), records
