"""Bad records of six sorts among good ones, on everything that is read, and consumers killed."""

import asyncio
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise

import pytest
from aiokafka.structs import RecordMetadata

from contracts.ids import uuid7
from contracts.topics import AUDIT, MAX_DATA_BYTES, QUOTES, QUOTES_COMMANDS, TOPICS, Consumer, Topic
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.layout import Layout
from infra.messaging.dead_letters import read_from
from tests.support.chaos.waiting_times import Away, Sent, Slowness, waits
from tests.support.e2e.records import CORRUPTED, UNKNOWN_TYPE, Raw, good_record, is_command
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import Stack
from tests.support.waiting import eventually

EACH = size(12, 1_000)
"""Good records of each source, and as many bad ones."""
KILLS = size(1, 5)
SECONDS_TO_FINISH = size(150, 1_200)
SECONDS_FOR_A_TURN = 5.0
"""On an idle machine; on a busy one as many times longer as there is load for each core."""
LEAST_SLOWNESS = size(12.0, 3.0)
"""A small run may begin while its neighbours are busy, before the load shows."""
AT_ONCE = 50
SYMBOLS = 200
"""Of the quotes of each source."""
WITHIN = timedelta(minutes=30)
"""How long what has a deadline may wait: longer than all of this takes."""


Place = tuple[str, int, int]
"""Topic, partition and offset."""


@dataclass
class Content:
    """What was put into one topic: for each of its consumers."""

    sent: list[Sent] = field(default_factory=list)
    """The good records, with their places."""
    bad: set[Place] = field(default_factory=set)
    """The places of the records that must become dead letters."""
    all: set[Place] = field(default_factory=set)


@dataclass
class Source:
    """A topic as one consumer reads it, and what was put there."""

    topic: Topic
    consumer: Consumer
    name: str
    content: Content

    @property
    def good(self) -> list[Raw]:
        return [each.record for each in self.content.sent]

    @property
    def bad(self) -> set[Place]:
        return self.content.bad

    @property
    def partitions(self) -> int:
        return 1 if self.name.endswith(".redrive") else self.topic.partitions


def sources() -> list[Source]:
    """Everything that a consumer reads."""
    contents: defaultdict[str, Content] = defaultdict(Content)
    return [
        Source(topic, consumer, name, contents[name])
        for topic in TOPICS
        for consumer in topic.consumers
        for name in (topic.name, topic.redrive(consumer))
    ]


def _too_big(record: Raw) -> Raw:
    return replace(record, value=b"{}" + b" " * MAX_DATA_BYTES)


def _no_id(record: Raw) -> Raw:
    return replace(record, headers=[(n, v) for n, v in record.headers if n != "ce_id"])


def _for_another(record: Raw) -> Raw:
    """One that can be read, and on which the handler fails.

    Its seal is of another command, or it says not who asks for it.
    """
    return replace(record, headers=[(n, v) for n, v in record.headers if n != "ce_actorid"])


def sorts(topic: Topic) -> list[Callable[[Raw], Raw]]:
    """Six ways for a record to be bad. An event of a new type is not bad; a command is.

    On command topics but that of quotes, one is that its handler fails.
    """
    left_out = {UNKNOWN_TYPE, "2 MiB"}
    fails = [_for_another] if is_command(topic) and topic != QUOTES_COMMANDS else []
    if fails:
        left_out.add("header not UTF-8")
    chosen = {name: CORRUPTED[name] for name in CORRUPTED if name not in left_out}
    last = CORRUPTED[UNKNOWN_TYPE] if is_command(topic) else _no_id
    return [*chosen.values(), *fails, _too_big, last]


def good_ones(source: Source, credentials: Credentials, count: int) -> list[Raw]:
    """So many good records. Quotes are of a few symbols, so as not to exhaust their provider."""
    made = min(count, SYMBOLS // (KILLS + 1)) if source.consumer == QUOTES else count
    first = [good_record(source.topic, credentials, within=WITHIN) for _ in range(made)]
    return first + [_of_another_id(first[n % made]) for n in range(count - made)]


def bad_ones(topic: Topic, credentials: Credentials, count: int) -> list[Raw]:
    """So many bad records, of the six sorts in turn."""
    ways = cycle(sorts(topic))
    template = good_record(topic, credentials, within=WITHIN)
    return [next(ways)(_of_another_id(template)) for _ in range(count)]


def _of_another_id(record: Raw) -> Raw:
    id_ = uuid7()
    headers = [(n, str(id_).encode() if n == "ce_id" else v) for n, v in record.headers]
    return replace(record, id=id_, key=id_.hex.encode(), headers=headers)


async def fill(stack: Stack, found: list[Source], count: int) -> None:
    """So many good and as many bad records on each topic, one after the other in turn."""
    credentials = load_or_create(Layout(stack.data))
    place = cycle(range(TOPICS[0].partitions))
    async with stack.producer() as producer:
        for source in {source.name: source for source in found}.values():
            good = good_ones(source, credentials, count)
            bad = bad_ones(source.topic, credentials, count)
            for start in range(0, count, AT_ONCE):
                pairs = list(zip(good[start:][:AT_ONCE], bad[start:][:AT_ONCE], strict=True))
                wanted = [next(place) % source.partitions for _ in pairs]
                sent = [
                    [await each.send_later(producer, source.name, partition) for each in pair]
                    for pair, partition in zip(pairs, wanted, strict=True)
                ]
                places = [[await each for each in pair] for pair in sent]
                source.content.all |= {_place(at) for pair in places for at in pair}
                source.content.bad |= {_place(corrupted) for _, corrupted in places}
                source.content.sent += [
                    Sent(record, at.partition, at.offset, at.timestamp)
                    for (record, _), (at, _) in zip(pairs, places, strict=True)
                ]


def _place(at: RecordMetadata) -> Place:
    return at.topic, at.partition, at.offset


async def handled(stack: Stack, source: Source) -> dict[object, datetime]:
    """When each good record was handled, by what reports it: its id, or the symbol of a quote."""
    ids = [record.id for record in source.good]
    async with stack.postgres() as conn:
        if source.consumer == AUDIT:
            query = "SELECT event_id, recorded_at FROM audit_log WHERE event_id = ANY($1)"
            rows = await conn.fetch(query, ids)
        elif source.consumer == QUOTES:
            query = "SELECT symbol, fetched_at FROM quotes WHERE symbol = ANY($1)"
            rows = await conn.fetch(query, [record.symbol for record in source.good])
        else:
            query = (
                "SELECT message_id, handled_at FROM inbox WHERE message_id = ANY($1) "
                "AND consumer = $2"
            )
            rows = await conn.fetch(query, ids, source.consumer.name)
    keys = [row[0] for row in rows]
    assert len(keys) == len(set(keys)), "two effects of one record"
    return {row[0]: row[1] for row in rows}


async def dead_letters(stack: Stack, source: Source) -> Counter[Place]:
    """How many dead letters there are of each place that this test has filled."""
    records = await stack.records(source.topic.dead_letters(source.consumer))
    return Counter(place for place in map(read_from, records) if place in source.content.all)


def expected(source: Source) -> set[object]:
    if source.consumer == QUOTES:
        return {record.symbol for record in source.good}
    return {record.id for record in source.good}


async def kill_all(stack: Stack, names: set[str]) -> tuple[datetime, datetime]:
    """Kill these processes with -9. From when to when they were away."""
    began = datetime.now(UTC)
    status = await asyncio.to_thread(stack.status)
    pids = [each["pid"] for each in status["processes"] if each["name"] in names]
    assert len(pids) == len(names)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for name in sorted(names):
        await stack.until_ready(name, seconds=180)
    return began, datetime.now(UTC) + timedelta(seconds=10)  # the group misses the dead as long


def slowest_turn(source: Source, times: dict[object, datetime], away: Away) -> float:
    """The longest that a good record waited for once it was its turn.

    A quote tells only of its symbol, the log only when a record was sent: of those the longest time
    without any of them, not counting when all were dead.
    """
    if source.consumer not in {QUOTES, AUDIT}:
        return max(waits(source.content.sent, times, away).values())
    longest = 0.0
    ordered = sorted(times.values())
    for before, after in pairwise(ordered):
        if not any(began <= after and before <= ended for began, ended in away):
            longest = max(longest, (after - before).total_seconds())
    return longest


@pytest.mark.prove
@pytest.mark.timeout(size(400, 1_700))
async def test_bad_records_hold_nobody_up(stack: Stack, evidence: Evidence) -> None:
    """One effect of each good record and one dead letter of each bad one, whoever is killed."""
    found = sources()
    processes = {source.consumer.principal for source in found}
    away = []
    slowness = Slowness()
    for _ in range(KILLS):
        slowness.look()
        await fill(stack, found, EACH // (KILLS + 1))
        away.append(await kill_all(stack, processes))
    await fill(stack, found, EACH - EACH // (KILLS + 1) * KILLS)
    turns: dict[str, float] = {}
    for source in found:

        async def all_handled(source: Source = source) -> bool:
            return (await handled(stack, source)).keys() >= expected(source)

        async def all_set_aside(source: Source = source) -> bool:
            return set(await dead_letters(stack, source)) >= source.bad

        what = f"{source.name} by {source.consumer.name}"
        await eventually(all_handled, seconds=SECONDS_TO_FINISH, every=0.5, what=f"all of {what}")
        await eventually(all_set_aside, seconds=60, every=0.5, what=f"all dead letters of {what}")
        turns[what] = slowest_turn(source, await handled(stack, source), away)
        slowness.look()
    for source in found:
        assert await dead_letters(stack, source) == Counter(source.bad), source.name
    status = await asyncio.to_thread(stack.status)
    assert all(each["state"] == "ready" for each in status["processes"]), "nothing to do by hand"
    slowest = max(turns, key=lambda each: turns[each])
    within = SECONDS_FOR_A_TURN * max(LEAST_SLOWNESS, slowness.worst)
    assert turns[slowest] < within, f"a record of {slowest} waited {turns[slowest]:.1f} s"
    evidence.record(
        "Bad records among good ones",
        "On each topic that is read, and each redrive topic, as many bad records of six sorts as "
        "good ones, while every worker is killed with -9 again and again.",
        {
            "sources (topic and consumer)": len(found),
            "good records of each": EACH,
            "bad records of each": EACH,
            "kill -9 of every worker": KILLS,
            "effects": sum(len(expected(source)) for source in found),
            "dead letters": sum(len(source.bad) for source in found),
            "dead letters missing or twice": 0,
            "load for each core, at its worst": f"{slowness.worst:.1f}",
            "longest wait for one's turn (s)": f"{turns[slowest]:.1f} ({slowest})",
        },
    )
