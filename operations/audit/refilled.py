"""Rows of the audit log whose record was filled in again: it lies elsewhere than the row says.

An event of an operator's tells the ranges in which such records are (`qnt9 recover`). A record
there proves a row of the same event when nothing but its place differs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any
from uuid import UUID

from contracts.operator_events import OpsRecovered
from contracts.topics import AUDIT, OPS_EVENTS, topics_of
from infra.kafka.records import Record
from infra.postgres.pool import Connection
from operations.audit import rows as of_log
from operations.audit.comparison import client_difference, differences, event_of, key_ids
from operations.broker import Broker, Range

RECORDS = 1_000
Ranges = dict[str, list[Range]]


async def refilled_ranges(broker: Broker, ends: dict[tuple[str, int], int]) -> Ranges:
    """By topic, what operators' events report; only what is there."""
    places = [place for place in ends if place[0] == OPS_EVENTS.name]
    begins = await broker.beginnings(places)
    found: Ranges = {}
    wanted = [Range(place[1], begins[place], ends[place]) for place in places]
    async for batch in broker.read(OPS_EVENTS.name, wanted, at_most=RECORDS):
        for record in batch.records:
            event = event_of(record)
            if event and event.envelope.type == OpsRecovered.type:
                for topic, partition, first, until in _reported(event.data.body):
                    end = min(until, ends.get((topic, partition), 0))
                    found.setdefault(topic, []).append(Range(partition, first, end))
    return found


def _reported(body: Any) -> Iterator[tuple[str, int, int, int]]:
    ranges = body.get("refilled") if isinstance(body, dict) else None
    for each in ranges or ():
        match each:
            case [str(topic), int(partition), int(first), int(until)] if first >= 0:
                yield topic, partition, first, until


async def prepare(conn: Connection) -> None:
    """Where the session notes which rows are proven; before a transaction that only reads."""
    await conn.execute(
        """
        CREATE TEMP TABLE IF NOT EXISTS proven_elsewhere (event_id uuid PRIMARY KEY);
        TRUNCATE proven_elsewhere
        """
    )


async def prove(
    broker: Broker, conn: Connection, ranges: Ranges, seen: Callable[[int], None]
) -> None:
    """Note the rows that a record in these ranges proves."""
    for topic, of_topic in ranges.items():
        for together in _joined(of_topic):
            async for batch in broker.read(topic, together, at_most=RECORDS):
                await _prove(conn, topic, batch.records)
                seen(len(batch.records))


async def _prove(conn: Connection, topic: str, records: Iterable[Record]) -> None:
    events = [event for record in records if (event := event_of(record))]
    rows = await of_log.whole_rows(conn, {event.envelope.id for event in events})
    pairs = [
        (rows[event.envelope.id], event)
        for event in events
        if event.envelope.id in rows and event_topic(rows[event.envelope.id]["topic"]) == topic
    ]
    keys = await of_log.keys_of(conn, (id_ for row, event in pairs for id_ in key_ids(row, event)))
    proven_ids = [
        row["event_id"]
        for row, event in pairs
        if not differences(row, event) and not client_difference(row, event, keys)
    ]
    await conn.execute(
        "INSERT INTO proven_elsewhere SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING", proven_ids
    )


async def proven(conn: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Those of these rows that a record elsewhere proves."""
    rows = await conn.fetch(
        "SELECT event_id FROM proven_elsewhere WHERE event_id = ANY($1)", list(ids)
    )
    return {row["event_id"] for row in rows}


def _joined(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """The same ranges without overlaps, at most one of each partition at a time."""
    left: dict[int, list[Range]] = {}
    for each in sorted(ranges, key=lambda r: (r.partition, r.start)):
        of_partition = left.setdefault(each.partition, [])
        if of_partition and each.start <= of_partition[-1].until:
            last = of_partition.pop()
            each = Range(each.partition, last.start, max(last.until, each.until))  # noqa: PLW2901
        of_partition.append(each)
    while left:
        yield [of_partition.pop(0) for of_partition in left.values()]
        left = {partition: remaining for partition, remaining in left.items() if remaining}


def event_topic(name: str) -> str:
    """Where an event belongs: what was redriven to the log alone was in its event topic before."""
    redriven = {topic.redrive(AUDIT): topic.name for topic in topics_of(AUDIT)}
    return redriven.get(name, name)
