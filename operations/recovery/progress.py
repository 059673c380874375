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
from infra.kafka.records import Record
from infra.postgres.pool import Connection
from operations.broker import Broker, Range
from operations.lag import consumers
from operations.recovery import store
from operations.recovery.apply import Recovery, moved_groups
from operations.recovery.dependencies import dependencies
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
    heads = Heads(broker)
    let_through = datetime.min.replace(tzinfo=UTC)
    while True:
        now = await progress_of(broker, conn, recovery)
        report(now)
        if not now.left:
            break
        found = await horizons(heads, now)
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


async def horizons(heads: "Heads", now: RecoveryProgress) -> dict[str, datetime | None]:
    """By consumer, the time of the earliest record that those have left on which it depends.

    None when they have none. A command that is refused waits until its time has come
    (`restored_database.refuse_early`). Time orders what depends on each other, so the earliest
    record of all never waits.
    """
    readers = {consumer.group: consumer for consumer in consumers() if consumer.inbox}
    times = {
        group: await heads.time_of(places) for group, places in now.left.items() if group in readers
    }
    return {
        consumer.name: min(
            (
                time
                for other, time in times.items()
                if other != group and readers[other].principal in dependencies()[consumer.principal]
            ),
            default=None,
        )
        for group, consumer in readers.items()
    }


class Heads:
    """The next record of each partition, read once for each offset."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: dict[Place, tuple[int, datetime]] = {}

    async def time_of(self, places: Mapping[Place, tuple[int, int]]) -> datetime:
        """When the earliest record that a group has left was sent.

        The beginning of time if a partition shows none: its next offsets are all markers.
        """
        moved = {
            place: (at, until)
            for place, (at, until) in places.items()
            if place not in self._known or self._known[place][0] != at
        }
        for topic in sorted({topic for topic, _ in moved}):
            await self._read(topic, {p: ends for (name, p), ends in moved.items() if name == topic})
        return min(self._known[place][1] for place in places)

    async def _read(self, topic: str, partitions: Mapping[int, tuple[int, int]]) -> None:
        times: dict[int, datetime] = {}
        ranges = [Range(p, at, min(until, at + HEAD)) for p, (at, until) in partitions.items()]
        async for batch in self._broker.read(topic, ranges):
            for record in batch.records[:1]:
                times.setdefault(batch.partition, _time_of(record))
        for partition, (at, _) in partitions.items():
            time_ = times.get(partition, datetime.min.replace(tzinfo=UTC))
            self._known[topic, partition] = at, time_


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
