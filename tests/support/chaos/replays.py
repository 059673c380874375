"""I8: a few events again, for a group of our own, and nobody else is moved."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from contracts.topics import USERS_EVENTS
from operations.broker import Broker
from operations.lag import consumers
from operations.ops_events import OperatorContext
from operations.record_producer import Sender
from operations.replay import executor as replays
from operations.replay.offset_ranges import resolve
from operations.replay.offset_spec import Moment
from operations.replay.request import ReplayRequest, Run
from tests.support.chaos.observations import Place, Reading
from tests.support.e2e.broker_view import BrokerState, kafka_settings, read_in
from tests.support.stack import Stack

LIVE = {consumer.group for consumer in consumers()}
A_WHILE = timedelta(seconds=5)

Offsets = Mapping[tuple[str, Place], int]


def moved(before: Offsets, after: Offsets, ends: Mapping[Place, int]) -> Iterator[str]:
    """I8: groups at work only go on, and never past what there is to read.

    Kafka lets nobody move a group that has members. One whose process has just died could be
    moved: back, which is seen here, or over records, which then have no effect, against I1 and I3.
    """
    for (group, place), stood in before.items():
        stands = after.get((group, place), 0)
        if group in LIVE and not stood <= stands <= max(stood, ends.get(place, stands)):
            yield f"I8: {group} stood at {stood} of {place} before a replay, and at {stands} after"


class Replays:
    """One replay after the other: what each group had committed is compared from end to end."""

    def __init__(self, stack: Stack, reading: Reading) -> None:
        self._stack = stack
        self._reading = reading
        self._settings = kafka_settings(stack)
        self._before: Offsets = {}
        self._recoveries = reading.recoveries

    async def violations(self, broker_state: BrokerState) -> AsyncIterator[str]:
        if self._recoveries != self._reading.recoveries:
            self._recoveries, self._before = self._reading.recoveries, {}
        before = self._before or await asyncio.to_thread(broker_state.committed)
        async for violation in self._replay():
            yield violation
        after = await asyncio.to_thread(broker_state.committed)
        for violation in moved(before, after, await self._reading.ends({p for _, (p, _) in after})):
            yield violation
        self._before = after

    async def _replay(self) -> AsyncIterator[str]:
        """What `qnt9 replay --to-group` does, and the projection that reads what it put there."""
        now, group = datetime.now(UTC), f"chaos.{uuid4().hex}"
        begin, end = now - A_WHILE, now
        request = ReplayRequest(
            USERS_EVENTS.name, begin.isoformat(), end.isoformat(), to_group=group
        )
        async with Broker(self._settings) as broker, Sender(self._settings) as sender:
            points = Moment(int(begin.timestamp() * 1_000)), Moment(int(end.timestamp() * 1_000))
            run = Run.of((await resolve(broker, request.topic, *points)).ranges)
            records = sum(each.until - each.start for each in run.ranges)
            await replays.put_before(broker, request, run)
            by = OperatorContext("a test", "to see that nobody is moved")
            await replays.finish(broker, sender, request, run, by=by, records=records)
            ends = {each.partition: each.until for each in run.ranges}
            found = len(await read_in(self._stack, group, ends))
            if found != records:
                yield f"I8: a replay of {records} records delivered {found}"
            for ours in (group, f"{replays.UNTIL_PREFIX}{group}"):
                await broker.delete_group(ours)
