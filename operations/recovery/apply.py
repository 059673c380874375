"""What a recovery changes: what the database has to know, then where the groups stand.

In this order, and each step more than once without harm: events that are in their topics enter the
outbox as published, and are noted; the points are kept; each group is moved in one request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.ids import derived_uuid7, time_of, uuid7
from contracts.operator_events import OpsRecovered
from contracts.topics import AUDIT
from infra.kafka.consumer_groups import Committed
from infra.kafka.records import Record
from infra.messaging.database_age import messages_of
from infra.messaging.record_reader import headers_as_text
from infra.postgres.pool import Connection
from operations import ops_events
from operations.broker import Broker, Range
from operations.errors import NotAllowedError
from operations.record_producer import Sender
from operations.recovery import store
from operations.recovery.store import Lost
from operations.recovery.survey import Gap, Survey

ROWS = 500
Points = dict[str, dict[str, dict[str, tuple[int, int]]]]
"""By group, topic and partition: the offset to which a group was moved, and where it stood."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovery that was begun."""

    id: UUID
    points: Points


async def refuse_members(broker: Broker, found: Survey) -> None:
    """Raise `NotAllowedError` while a group that would be moved has members."""
    names = [consumer.group for consumer in found.groups]
    members = await broker.members(names)
    if busy := [name for name in names if members.get(name)]:
        processes = sorted({c.principal for c in found.groups if c.group in busy})
        raise NotAllowedError(
            f"{', '.join(busy)} have members, which go on with a database that is older than "
            f"Kafka: stop {', '.join(processes)} (`qnt9 stop NAME`), recover, and start them again"
        )


async def apply(
    broker: Broker,
    conn: Connection,
    sender: Sender,
    found: Survey,
    *,
    by: ops_events.OperatorContext,
    seen: Callable[[int], None] = lambda _: None,
) -> Recovery:
    """Change what the survey calls for. Raises `OpsError`; run it again and it goes on."""
    begun = await store.unfinished(conn)
    recovery = Recovery(begun["id"] if begun else uuid7(), begun["points"] if begun else {})
    merge(recovery.points, found)
    await store.forget_old(conn)
    await store.save_points(conn, recovery.id, by.operator, by.reason, recovery.points)
    for topic in sorted({gap.place[0] for gap in found.events}):
        ranges = [
            Range(gap.place[1], gap.point, gap.until)
            for gap in found.events
            if gap.place[0] == topic
        ]
        async for batch in broker.read(topic, ranges, at_most=ROWS):
            await _keep(conn, recovery, topic, batch.records, found)
            seen(len(batch.records))
    for consumer, gaps in found.groups.items():
        moved = {gap.place: Committed(gap.point) for gap in gaps}
        await broker.set_committed(consumer.group, moved)
    await _report(sender, recovery, found, by)
    return recovery


def merge(points: Points, found: Survey) -> None:
    """A group that was moved before keeps its mark of where it once stood."""
    if found.is_current:
        return
    ranges = [
        (consumer, gap.place, gap.point, gap.until)
        for consumer, gaps in found.groups.items()
        for gap in gaps
    ]
    ranges += [
        (consumer, place, point, until)
        for consumer, places in found.in_hand.items()
        for place, (point, until) in places.items()
        if point < until
    ]
    for consumer, (topic, partition), first, end in ranges:
        of_topic = points.setdefault(consumer.group, {}).setdefault(topic, {})
        point, until = of_topic.get(str(partition), (first, end))
        of_topic[str(partition)] = (min(point, first), max(until, end))


async def _keep(
    conn: Connection, recovery: Recovery, topic: str, records: Sequence[Record], found: Survey
) -> None:
    messages = list(messages_of(AUDIT, records))
    lost = await store.lost_events(conn, [envelope for _, envelope in messages])
    events = {
        envelope.id: Lost(
            envelope,
            topic,
            (record.key or b"").decode(errors="replace"),
            (record.value or b"").decode(),
            headers_as_text(record),
            awaited=_uuid(envelope.causation_id) in found.messages,
        )
        for record, envelope in messages
        if envelope.id in lost
    }
    if events:
        published_until = max(each.envelope.time for each in events.values())
        await store.note_published(conn, recovery.id, published_until)
        await store.insert_events(conn, list(events.values()))


async def _report(
    sender: Sender, recovery: Recovery, found: Survey, by: ops_events.OperatorContext
) -> None:
    """On `ops.events`, under the same id however often it is published."""
    event = OpsRecovered(
        operator=by.operator,
        reason=by.reason,
        recovery_id=recovery.id,
        groups={c.group: sum(gap.lost for gap in gaps) for c, gaps in found.groups.items()},
        events=sum(gap.lost for gap in found.events),
    )
    await ops_events.record(
        sender,
        event,
        about="database",
        id_=derived_uuid7(time_of(recovery.id), recovery.id, event.model_dump_json()),
    )


def moved_groups(points: Points) -> dict[str, dict[tuple[str, int], int]]:
    """How far each group has to come until everything is handled again."""
    return {
        group: {
            (topic, int(partition)): until
            for topic, partitions in topics.items()
            for partition, (_, until) in partitions.items()
        }
        for group, topics in points.items()
    }


def lost_of(gaps: Sequence[Gap]) -> int:
    """How many records the database has lost."""
    return sum(gap.lost for gap in gaps)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def facts(found: Survey) -> dict[str, Any]:
    """Print JSON for scripts."""
    return {
        "current": found.is_current,
        "groups": {
            consumer.group: [
                {
                    "topic": gap.place[0],
                    "partition": gap.place[1],
                    "from": gap.point,
                    "before": gap.until,
                    "lost": gap.lost,
                    "cut": gap.cut,
                }
                for gap in gaps
            ]
            for consumer, gaps in found.groups.items()
        },
        "events": {"/".join(map(str, gap.place)): gap.lost for gap in found.events},
    }
