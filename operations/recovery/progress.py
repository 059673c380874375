"""From the moved groups to the end of a recovery: waiting, and giving up what cannot come."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope, UnreadableError
from infra.kafka.consumer_groups import Place
from infra.messaging.record_reader import Record
from infra.postgres.pool import Connection
from operations.broker import Broker, Range
from operations.lag import consumers
from operations.recovery import store
from operations.recovery.apply import Recovery, moved_groups
from operations.recovery.survey import WINDOW

LOOK_SECONDS = 0.5
HEAD = 20
"""Offsets in which the next record of a partition is looked for; some are markers."""


@dataclass(frozen=True, slots=True)
class RecoveryProgress:
    """How far a recovery is: what the groups have left, and the events that are awaited."""

    left: dict[str, dict[Place, tuple[int, int]]]
    """By group: committed offset and where it ends, of the partitions that are not done."""
    awaited: int
    idle: tuple[str, ...]
    """Groups with something left and no members."""

    @property
    def records(self) -> int:
        return sum(until - at for places in self.left.values() for at, until in places.values())


async def progress_of(broker: Broker, conn: Connection, recovery: Recovery) -> RecoveryProgress:
    """How far a recovery is now."""
    left: dict[str, dict[Place, tuple[int, int]]] = {}
    for group, untils in moved_groups(recovery.points).items():
        committed = await broker.committed(group)
        offsets = {place: committed[place].offset for place in untils if place in committed}
        if places := {p: (at, untils[p]) for p, at in offsets.items() if at < untils[p]}:
            left[group] = places
    members = await broker.members(left)
    idle = tuple(group for group in left if not members.get(group))
    return RecoveryProgress(left, await store.count_awaited(conn), idle)


async def follow(
    broker: Broker,
    conn: Connection,
    recovery: Recovery,
    report: Callable[[RecoveryProgress], None],
    *,
    patience: timedelta,
) -> None:
    """Return when everything is handled again, and finish the recovery.

    A command that does not make what it made before waits for others; when nothing has moved for
    `patience` although every group has members, those that stand first are let through as they are.
    """
    moved, before = time.monotonic(), None
    let_through = datetime.min.replace(tzinfo=UTC)
    while True:
        now = await progress_of(broker, conn, recovery)
        report(now)
        if not now.left:
            break
        found = await horizons(broker, now)
        reached = {name: at and max(at, let_through) for name, at in found.items()}
        await store.set_horizons(conn, recovery.id, reached)
        picture: Any = (now.left, now.awaited)
        if picture != before or now.idle:
            moved, before = time.monotonic(), picture
        elif time.monotonic() - moved > patience.total_seconds():
            let_through = max(let_through, await _let_through(broker, conn, now))
            moved = time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)
    await store.erase_again(conn, recovery.id)
    await store.finish(conn, recovery.id)


async def horizons(broker: Broker, now: RecoveryProgress) -> dict[str, datetime | None]:
    """By consumer, the time of the earliest record that another one has left; None: there is none.

    A command that is refused waits until its time has come (`restored_database.refuse_early`).
    Time orders what depends on each other, so the earliest record of all never waits.
    """
    readers = {c.group: c.name for c in consumers() if c.inbox}
    heads = {
        group: await _head_time(broker, places)
        for group, places in now.left.items()
        if group in readers
    }
    return {
        name: min((time for other, time in heads.items() if other != group), default=None)
        for group, name in readers.items()
    }


async def _head_time(broker: Broker, places: Mapping[Place, tuple[int, int]]) -> datetime:
    """When the earliest record that a group has left was sent.

    The beginning of time if a partition shows none: its next offsets are all markers.
    """
    times: dict[Place, datetime] = {}
    for topic in sorted({topic for topic, _ in places}):
        wanted = [
            Range(partition, at, min(until, at + HEAD))
            for (name, partition), (at, until) in places.items()
            if name == topic
        ]
        async for batch in broker.read(topic, wanted):
            for record in batch.records[:1]:
                times.setdefault((topic, batch.partition), _time_of(record))
    return min(times.get(place, datetime.min.replace(tzinfo=UTC)) for place in places)


def _time_of(record: Record) -> datetime:
    try:
        return Envelope.from_headers(record.headers).time
    except UnreadableError:
        return datetime.fromtimestamp(record.timestamp / 1_000, UTC)


async def _let_through(broker: Broker, conn: Connection, now: RecoveryProgress) -> datetime:
    """Wait no longer for the commands that each partition has next.

    Returns the time of the latest: until then commands may be refused or change nothing.
    """
    causes: list[UUID] = []
    latest = datetime.min.replace(tzinfo=UTC)
    for places in now.left.values():
        for (topic, partition), (at, until) in places.items():
            wanted = [Range(partition, at, min(until, at + WINDOW))]
            async for batch in broker.read(topic, wanted):
                for record in batch.records:
                    latest = max(latest, _time_of(record))
                    with suppress(UnreadableError):
                        causes.append(Envelope.from_headers(record.headers).id)
    await store.give_up(conn, causes)
    return latest
