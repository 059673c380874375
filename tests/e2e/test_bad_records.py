"""Records that nobody can handle: set aside with all that was in them, in nobody's way."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts import base64url
from contracts.topics import AUDIT, QUOTES, TOPICS, WATCHLIST, WATCHLIST_COMMANDS, Consumer, Topic
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from gateway.commands.status_token import Handle
from infra.messaging.dead_letters import PREFIX
from tests.support.e2e.records import (
    CORRUPTED,
    ENVELOPE_READABLE,
    UNKNOWN_TYPE,
    Raw,
    good_record,
    is_command,
)
from tests.support.stack import Stack
from tests.support.waiting import eventually

NEXT_WITHIN_SECONDS = 5.0


@dataclass(frozen=True)
class Source:
    """A topic as one consumer reads it: what producers write, or what is sent again."""

    topic: Topic
    consumer: Consumer
    name: str

    @property
    def partition(self) -> int:
        return 0 if self.name.endswith(".redrive") else 3


SOURCES = [
    Source(topic, consumer, name)
    for topic in TOPICS
    for consumer in topic.consumers
    for name in (topic.name, topic.redrive(consumer))
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: f"{s.name} → {s.consumer.name}")
async def test_bad_records_are_set_aside_whole_and_the_next_good_one_is_handled_in_time(
    stack: Stack, source: Source
) -> None:
    credentials = load_or_create(Layout(stack.data))
    offsets: dict[str, int] = {}
    corrupted = {n: spoil(good_record(source.topic, credentials)) for n, spoil in CORRUPTED.items()}
    async with stack.producer() as producer:
        for name, record in corrupted.items():
            offsets[name] = await record.send(producer, source.name, source.partition)
        good = good_record(source.topic, credentials)
        await good.send(producer, source.name, source.partition)

    async def handled() -> bool:
        return await was_handled(stack, source, good)

    await eventually(handled, seconds=NEXT_WITHIN_SECONDS, what="the good record")
    if not is_command(source.topic):
        unheard_of = corrupted.pop(UNKNOWN_TYPE)
        if source.consumer == AUDIT:
            await eventually(lambda: was_handled(stack, source, unheard_of), what="the new type")

    async def all_set_aside() -> dict[int, Any]:
        """The good one of another key did not have to wait for it."""
        found = await dead_letters(stack, source)
        return found if found.keys() >= {offsets[name] for name in corrupted} else {}

    found = await eventually(all_set_aside, what="the dead letters")
    for name, record in corrupted.items():
        assert_whole(found[offsets[name]], record, source)
    assert is_command(source.topic) or offsets[UNKNOWN_TYPE] not in found
    if is_command(source.topic):
        readable = {corrupted[name].id for name in ENVELOPE_READABLE}
        parked = set() if source.consumer == QUOTES else readable

        async def all_parked() -> bool:
            async with stack.postgres() as conn:
                rows = await conn.fetch(
                    "SELECT command_id FROM parked_commands WHERE command_id = ANY($1)",
                    [record.id for record in corrupted.values()],
                )
            assert {row["command_id"] for row in rows} <= parked
            return len(rows) == len(parked)

        await eventually(all_parked, what="the parked commands")


async def was_handled(stack: Stack, source: Source, record: Raw) -> bool:
    """What the consumer leaves behind when it has handled this record."""
    async with stack.postgres() as conn:
        if source.consumer == AUDIT:
            query = "SELECT EXISTS (SELECT FROM audit_log WHERE event_id = $1)"
            return bool(await conn.fetchval(query, record.id))
        if source.consumer == QUOTES:
            query = "SELECT EXISTS (SELECT FROM quotes WHERE symbol = $1)"
            return bool(await conn.fetchval(query, record.symbol))
        query = "SELECT EXISTS (SELECT FROM inbox WHERE message_id = $1 AND consumer = $2)"
        return bool(await conn.fetchval(query, record.id, source.consumer.name))


async def test_a_record_without_key_and_value_is_set_aside_too(stack: Stack) -> None:
    source = Source(WATCHLIST_COMMANDS, WATCHLIST, WATCHLIST_COMMANDS.name)
    async with stack.producer() as producer:
        batch = producer.create_batch()  # it takes no such record by itself
        batch.append(timestamp=None, key=None, value=None, headers=[("x-only", b"a header")])
        batch.close()
        sent = await producer.send_batch(batch, source.name, partition=source.partition)
        offset = (await sent).offset

    async def set_aside() -> bool:
        return offset in await dead_letters(stack, source)

    await eventually(set_aside, seconds=NEXT_WITHIN_SECONDS, what="the dead letter")


async def dead_letters(stack: Stack, source: Source) -> dict[int, Any]:
    """What was set aside of this source, by the offset it had there."""
    dead_letters = await stack.records(source.topic.dead_letters(source.consumer))
    found = {}
    for dead_letter in dead_letters:
        headers = dict(dead_letter.headers)
        place = (headers[f"{PREFIX}topic"].decode(), int(headers[f"{PREFIX}partition"]))
        if place == (source.name, source.partition):
            offset = int(headers[f"{PREFIX}offset"])
            assert offset not in found, "set aside twice"
            found[offset] = dead_letter
    return found


def assert_whole(dead_letter: Any, record: Raw, source: Source) -> None:
    """Original bytes and headers, and why, how often, since when and where from."""
    assert (dead_letter.key, dead_letter.value) == (record.key, record.value)
    kept = [(name, value) for name, value in dead_letter.headers if not name.startswith(PREFIX)]
    assert kept == record.headers
    about = {
        n.removeprefix(PREFIX): v.decode() for n, v in dead_letter.headers if n.startswith(PREFIX)
    }
    assert about["reason"]
    assert int(about["attempts"]) >= 1
    assert about["consumer"] == source.consumer.name
    assert about["topic"] == source.name
    first = datetime.fromisoformat(about["first_failure"])
    last = datetime.fromisoformat(about["last_failure"])
    sent = datetime.fromtimestamp(int(about["timestamp"]) / 1000, UTC)
    assert sent <= first <= last <= datetime.now(UTC)


async def test_a_command_that_was_set_aside_is_pending_and_parked(stack: Stack) -> None:
    credentials = load_or_create(Layout(stack.data))
    topic = WATCHLIST_COMMANDS
    record = CORRUPTED["broken JSON"](good_record(topic, credentials))
    handle = Handle(record.id, topic.carries[0].type, datetime.now(UTC), None, None)
    path = f"/api/v1/commands/{handle.sign(base64url.decode(credentials.keys['QNT9_GATEWAY_KEY']))}"
    async with stack.http() as http:
        assert (await http.get(path)).json()["parked"] is False
        async with stack.producer() as producer:
            await record.send(producer, topic.redrive(WATCHLIST))

        async def parked() -> bool:
            return bool((await http.get(path)).json()["parked"])

        await eventually(parked, what="parked")
        assert (await http.get(path)).json()["status"] == "pending"
