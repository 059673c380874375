"""The audit log against its topics: each row has its record, each record its row.

Rows are read a page at a time, and the records at their offsets with them; then every record,
and the rows of the events that those are. Findings name the place that they are about.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.personal import PersonalKey
from contracts.topics import AUDIT, topics_of
from infra.audit.entry import entry_of
from infra.kafka.consumer_groups import Place
from infra.kafka.records import Record
from infra.postgres.pool import Connection
from operations.audit import refilled
from operations.audit import rows as of_log
from operations.audit.comparison import (
    client_difference,
    differences,
    event_of,
    event_of_row,
    key_ids,
)
from operations.broker import Broker, Range

MAX_GAP = 500
"""Offsets that lie farther apart are fetched apart."""
RECORDS = 1_000

Row = Mapping[str, Any]
Seen = Callable[[int], None]


@dataclass
class Compared:
    """What was compared, and what is wrong, in words."""

    rows: int = 0
    records: int = 0
    faults: list[str] = field(default_factory=list)


async def compare(broker: Broker, conn: Connection, seen: Seen = lambda _: None) -> Compared:
    """Both ways. Records from the committed offset of the audit consumer on need no row yet."""
    found = Compared()
    partitions = await broker.partitions()
    names = [n for topic in topics_of(AUDIT) for n in (topic.name, topic.redrive(AUDIT))]
    places = [(name, number) for name in names for number in range(partitions.get(name, 0))]
    committed = {p: at.offset for p, at in (await broker.committed(AUDIT.group)).items()}
    await refilled.prepare(conn)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        begins, ends = await broker.beginnings(places), await broker.ends(places)
        bounds = {place: (begins[place], ends[place]) for place in places}
        reported = await refilled.refilled_ranges(broker, ends)
        await refilled.prove(broker, conn, reported, seen)
        async for page in of_log.all_rows(conn):
            await _compare_rows(broker, conn, page, bounds, found)
            seen(len(page))
        for name in names:
            ranges = [Range(place[1], *at) for place, at in bounds.items() if place[0] == name]
            async for batch in broker.read(name, ranges, at_most=RECORDS):
                await _compare_records(conn, name, batch.records, committed, found)
                seen(len(batch.records))
    return found


async def compare_payloads(conn: Connection) -> Compared:
    """Each row with its own copy of the record: what that copy proves without Kafka."""
    found = Compared()
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for page in of_log.all_rows(conn):
            events = [(row, event_of_row(row)) for row in page]
            keys = await of_log.keys_of(
                conn, (id_ for row, event in events if event for id_ in key_ids(row, event))
            )
            for row, event in events:
                found.rows += 1
                fault = "its headers and payload are no event"
                if event:
                    fault = _difference(row, event, keys, "its payload") or ""
                if fault:
                    name = f"{row['topic']}/{row['partition']}, event {row['event_id']}"
                    found.faults.append(f"{name}: {fault}")
    return found


async def _compare_rows(
    broker: Broker,
    conn: Connection,
    page: list[Any],
    bounds: Mapping[Place, tuple[int, int]],
    found: Compared,
) -> None:
    """Each row with the record at its topic, partition and offset."""
    events = await _events_of(broker, page, bounds)
    matched = [(row, event) for row in page if (event := events.get(_place_of(row)))]
    keys = await of_log.keys_of(
        conn, (id_ for row, event in matched for id_ in key_ids(row, event))
    )
    absent = [row["event_id"] for row in page if not _is_of(row, events.get(_place_of(row)))]
    other_place = await refilled.proven(conn, absent)
    for row in page:
        found.rows += 1
        event = events.get(_place_of(row))
        fault: str | None = None
        if (row["topic"], row["partition"]) not in bounds:
            fault = "is of a topic that is none of the log's"
        elif _is_of(row, event):
            fault = _difference(row, event, keys, "the record")
        elif row["event_id"] not in other_place:
            fault = "no such record is in Kafka"
        if fault:
            topic, partition, offset = _place_of(row)
            name = f"{topic}/{partition} offset {offset}, event {row['event_id']}"
            found.faults.append(f"{name}: {fault}")


async def _events_of(
    broker: Broker, page: list[Any], bounds: Mapping[Place, tuple[int, int]]
) -> dict[tuple[str, int, int], Any]:
    """The events that Kafka has where the rows of a page say, by topic, partition and offset."""
    offsets: dict[Place, set[int]] = {}
    for row in page:
        place = (row["topic"], row["partition"])
        begin, end = bounds.get(place, (0, 0))
        if begin <= row["offset"] < end:
            offsets.setdefault(place, set()).add(row["offset"])
    return {
        (record.topic, record.partition, record.offset): event
        async for record in _fetch(broker, offsets)
        if (event := event_of(record))
    }


def _difference(row: Row, event: Any, keys: Mapping[str, PersonalKey], source: str) -> str | None:
    """How a row differs from its event, which `source` names; None when it does not."""
    if columns := differences(row, event):
        return f"{', '.join(columns)} differ from {source}"
    return client_difference(row, event, keys)


async def _compare_records(
    conn: Connection,
    topic: str,
    records: Iterable[Record],
    committed: Mapping[Place, int],
    found: Compared,
) -> None:
    """Each record with the rows of the event that it is."""
    events = [event for record in records if (event := event_of(record))]
    rows = await of_log.rows_of(conn, {event.envelope.id for event in events})
    found.records += len(events)
    for event in events:
        entry = entry_of(event)
        name = f"{topic}/{entry.partition} offset {entry.offset}, event {entry.event_id}"
        stored = rows.get(entry.event_id, [])
        if not stored:
            if entry.offset < committed.get((topic, entry.partition), 0):
                found.faults.append(f"{name}: is not in the log")
        elif any(_elsewhere(row, event) and entry.contradicts(row) for row in stored):
            found.faults.append(f"{name}: contradicts what the log has under this id")


def _is_of(row: Row, event: Any) -> bool:
    """Whether this is the event of a row."""
    return event is not None and event.envelope.id == row["event_id"]


def _place_of(row: Row) -> tuple[str, int, int]:
    """Topic, partition and offset of the record that a row was made of."""
    return row["topic"], row["partition"], row["offset"]


def _elsewhere(row: Row, event: Any) -> bool:
    """Whether a row was made of another record, so that the two were not compared yet."""
    origin = event.origin
    return _place_of(row) != (origin.topic, origin.partition, origin.offset)


async def _fetch(broker: Broker, offsets: Mapping[Place, set[int]]) -> AsyncIterator[Record]:
    """The records at these offsets, and some between them."""
    left = {place: list(_clusters(sorted(numbers))) for place, numbers in offsets.items()}
    while left:
        for topic in sorted({topic for topic, _ in left}):
            ranges = [
                Range(partition, *clusters.pop())
                for (name, partition), clusters in left.items()
                if name == topic
            ]
            async for batch in broker.read(topic, ranges, at_most=RECORDS):
                for record in batch.records:
                    yield record
        left = {place: clusters for place, clusters in left.items() if clusters}


def _clusters(offsets: Iterable[int]) -> Iterable[tuple[int, int]]:
    """First and the one after the last of offsets that lie close together."""
    begin = last = None
    for offset in offsets:
        if last is not None and begin is not None and offset - last > MAX_GAP:
            yield begin, last + 1
            begin = offset
        begin = offset if begin is None else begin
        last = offset
    if begin is not None and last is not None:
        yield begin, last + 1
