"""A range of a topic again: copied to a topic of the operator's, or put before a fresh group.

Nobody's group is moved: records are read without one, and a copy keeps where it is in the
committed offsets of a group of its own, `qnt9.ops.replay.<what was asked for>`, which nobody
reads in. A run that was killed is found there and goes on; one that finished is found there, too,
until the broker forgets it (seven days), and is not made twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from contracts.operator_events import OpsReplayed
from infra.kafka.records import Record
from operations import ops_events
from operations.broker import Broker
from operations.errors import NotAllowedError
from operations.lag import PROGRESS_PREFIX
from operations.record_producer import Copy, Sender
from operations.replay.offset_ranges import Chooses
from operations.replay.request import ReplayRequest, Run

ORIGIN = "qnt9_replay_"
UNTIL_PREFIX = f"{PROGRESS_PREFIX}until."
"""Before a group's name: the group whose committed offsets are the ends of what it shall read."""

MAX_AT_ONCE = 500
Seen = Callable[[int], None]


async def begun(broker: Broker, request: ReplayRequest) -> Run | None:
    """The run that these words began, come to its end or not.

    None for a finished one whose copies are gone: somebody has deleted the topic meanwhile.
    """
    run = Run.from_offsets(await broker.committed(request.progress_group))
    if run and run.finished and not await _copies_are_there(broker, request, run):
        return None
    return run


async def _copies_are_there(broker: Broker, request: ReplayRequest, run: Run) -> bool:
    partitions = (await broker.partitions()).get(request.to_topic or "", 0)
    ends = await broker.ends([(request.to_topic or "", number) for number in range(partitions)])
    return sum(ends.values()) >= run.records_sent > 0


async def copy(
    broker: Broker,
    sender: Sender,
    request: ReplayRequest,
    run: Run,
    *,
    chooses: Chooses | None,
    rate: float | None,
    seen: Seen,
) -> Run:
    """Everything in the range to the destination, at least once. What is acknowledged is noted."""
    assert request.to_topic
    partitions = await broker.partitions()
    if request.to_topic not in partitions:
        await broker.create_topic(request.to_topic, like=request.topic)
    same = partitions.get(request.to_topic, partitions[request.topic]) == partitions[request.topic]
    await broker.set_committed(request.progress_group, run.to_offsets(request.topic))
    pace, at_most = (
        Pace(rate),
        MAX_AT_ONCE if rate is None else max(1, min(MAX_AT_ONCE, int(rate / 4))),
    )
    async for batch in broker.read(request.topic, run.left, at_most=at_most):
        chosen = [r for r in batch.records if chooses is None or chooses(r)]
        if chosen:
            await pace.wait_for(len(chosen))
            copies = [copy_of(record, run.id, keep_partition=same) for record in chosen]
            await sender.send(request.to_topic, copies)
        run = run.moved(batch.partition, batch.position, len(chosen))
        place = (request.topic, batch.partition)
        await broker.set_committed(
            request.progress_group, {place: run.to_offsets(request.topic)[place]}
        )
        seen(len(chosen))
    return run


async def finish(
    broker: Broker,
    sender: Sender,
    request: ReplayRequest,
    run: Run,
    *,
    by: ops_events.OperatorContext,
    records: int,
) -> None:
    """Leave the event, then forget where it stood. The other way round could lose the event.

    Of a copy it is remembered that it is finished.
    """
    event = OpsReplayed(
        operator=by.operator,
        reason=by.reason,
        topic=request.topic,
        destination=request.destination,
        ranges=[(r.partition, r.start, r.until) for r in run.ranges if not r.is_empty],
        records=records,
        only_type=request.only_type,
        only_key=request.only_key,
    )
    await ops_events.record(sender, event, about=request.topic, id_=run.id)
    if request.to_topic:
        finished = replace(run, finished=True)
        await broker.set_committed(request.progress_group, finished.to_offsets(request.topic))
    elif request.progress_group in await broker.groups():
        await broker.delete_group(request.progress_group)


async def put_before(broker: Broker, request: ReplayRequest, run: Run) -> None:
    """A fresh group stands at the start of the range; its end is in `UNTIL_PREFIX` + group.

    Raises `NotAllowedError` for a group that has read, or is reading.
    """
    group = request.to_group
    assert group
    if (await broker.members([group])).get(group):
        raise NotAllowedError(f"{group} has members: a live group is never moved")
    wanted = run.to_offsets(request.topic)
    if (committed_offsets := await broker.committed(group)) and committed_offsets != wanted:
        raise NotAllowedError(f"{group} has offsets already: name a fresh group")
    await broker.set_committed(request.progress_group, wanted)
    await broker.set_committed(f"{UNTIL_PREFIX}{group}", run.ends(request.topic))
    await broker.set_committed(group, wanted)


def copy_of(record: Record, run: UUID, *, keep_partition: bool) -> Copy:
    """Bytes, key, headers and time as they were, and where they were."""
    origin = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "run": str(run),
    }
    kept = [(name, value) for name, value in record.headers if not name.startswith(ORIGIN)]
    return Copy(
        record.key,
        record.value,
        [*kept, *((ORIGIN + name, value.encode()) for name, value in origin.items())],
        timestamp_ms=max(record.timestamp, 0),
        partition=record.partition if keep_partition else None,
    )


class Pace:
    """At most so many records a second, from now on."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def wait_for(self, records: int) -> None:
        if self._rate is None:
            return
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._free_at - now))
        self._free_at = max(now, self._free_at) + records / self._rate
