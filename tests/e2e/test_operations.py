"""The operator's tools, run as an operator runs them."""

import asyncio
import json
from collections import Counter
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.topics import (
    AUDIT,
    USERS_EVENTS,
    WATCHLIST,
    WATCHLIST_COMMANDS,
)
from tests.support.e2e.broker_view import (
    BrokerState,
    a_moment,
    audited,
    id_of,
    killed_when_begun,
    read_in,
    send_good,
    until_quiescent,
)
from tests.support.stack import Stack
from tests.support.waiting import eventually

REDRIVE = WATCHLIST_COMMANDS.redrive(WATCHLIST)


async def test_a_replay_into_a_fresh_group_delivers_what_the_dry_run_counted_and_moves_no_one(
    stack: Stack,
) -> None:
    broker_state, group = BrokerState(stack), f"projection.{uuid4().hex}"
    earlier = await send_good(stack, USERS_EVENTS, 7)
    begin = await a_moment()
    wanted = await send_good(stack, USERS_EVENTS, 50)
    end = await a_moment()
    later = await send_good(stack, USERS_EVENTS, 5)
    await until_quiescent(stack)
    before = broker_state.committed()

    words = (USERS_EVENTS.name, "--from", begin.isoformat(), "--to", end.isoformat(), "--json")
    counted = json.loads(stack.qnt9("replay", *words, "--to-group", group, "--dry-run"))
    assert broker_state.committed() == before
    placed = json.loads(stack.qnt9("replay", *words, "--to-group", group, "--reason", "a trial"))
    assert counted["records"] == placed["records"] >= len(wanted)

    after = broker_state.committed()
    moved = {place for place, at in before.items() if after[place] != at}
    # Audit reads on, the event of this replay among others; nobody was moved in the topic.
    assert {group_of for group_of, _ in moved} <= {AUDIT.group}
    assert USERS_EVENTS.name not in {topic for _, (topic, _) in moved}
    assert all(after[place] > before[place] for place in moved)

    ends = {p: after[f"qnt9.ops.until.{group}", (USERS_EVENTS.name, p)] for p in range(6)}
    assert placed["ends"] == {str(p): until for p, until in ends.items()}
    delivered = [id_of(record) for record in await read_in(stack, group, ends)]
    assert len(delivered) == len(set(delivered)) == counted["records"]
    assert {record.id for record in wanted} <= set(delivered)
    assert not {record.id for record in (*earlier, *later)} & set(delivered)

    async def recorded() -> bool:
        found = await audited(stack, "ops.replayed", reason="a trial", destination=f"group {group}")
        return found == 1

    await eventually(recorded, what="the row of the audit log")


async def test_a_copy_has_bytes_key_headers_and_time_as_they_were_and_where_they_were(
    stack: Stack,
) -> None:
    begin = await a_moment()
    sent = {record.id: record for record in await send_good(stack, USERS_EVENTS, 12)}
    end, copy = await a_moment(), f"trial.{uuid4().hex}"
    chosen = next(iter(sent.values()))
    words = (USERS_EVENTS.name, "--from", begin.isoformat(), "--to", end.isoformat())
    stack.qnt9("replay", *words, "--to-topic", copy)
    originals = {id_of(r): r for r in await stack.records(USERS_EVENTS.name) if id_of(r) in sent}
    copies = await stack.records(copy)
    assert Counter(map(id_of, copies)) >= Counter(list(sent))
    for record in copies:
        original = originals.get(id_of(record))
        if original is None:
            continue  # somebody else's event in that time
        assert (record.key, record.value) == (original.key, original.value)
        assert (record.timestamp, record.partition) == (original.timestamp, original.partition)
        kept = [h for h in record.headers if not h[0].startswith("qnt9_replay_")]
        assert kept == list(original.headers)
        assert dict(record.headers)["qnt9_replay_topic"] == USERS_EVENTS.name.encode()
        assert dict(record.headers)["qnt9_replay_offset"] == str(original.offset).encode()

    key = chosen.key.decode()
    stack.qnt9("replay", *words, "--key", key, "--to-topic", f"{copy}.one")
    assert [id_of(record) for record in await stack.records(f"{copy}.one")] == [chosen.id]


async def test_a_replay_that_was_killed_goes_on_and_leaves_one_event(stack: Stack) -> None:
    broker_state, copy = BrokerState(stack), f"trial.{uuid4().hex}"
    begin = await a_moment()
    sent = {record.id for record in await send_good(stack, USERS_EVENTS, 120)}
    end = await a_moment()
    words = (
        *("replay", USERS_EVENTS.name, "--from", begin.isoformat(), "--to", end.isoformat()),
        *("--to-topic", copy),
    )

    async def begun() -> bool:
        return await asyncio.to_thread(broker_state.size, copy) >= 20

    with killed_when_begun(stack, *words, "--rate", "20"):
        await eventually(begun, seconds=120, what="the first copies")
    before = broker_state.size(copy)
    assert before < len(sent)
    going_on = stack.run(*words)
    assert going_on.returncode == 0, going_on.stderr
    assert "going on with run" in going_on.stderr

    copies = Counter(map(id_of, await stack.records(copy)))
    assert copies.keys() >= sent
    batch = 20 // 4
    assert copies.total() - len(copies) <= batch, "more was repeated than had no acknowledgement"

    async def recorded() -> int:
        return await audited(stack, "ops.replayed", destination=f"topic {copy}")

    assert await eventually(recorded, what="the row of the audit log") == 1

    once_more = json.loads(stack.qnt9(*words, "--json"))
    assert once_more["finished_before"] is True
    assert broker_state.size(copy) == copies.total(), "a copy that is finished is not made twice"
    again = json.loads(stack.qnt9(*words, "--again", "--json"))
    assert broker_state.size(copy) == copies.total() + again["records"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("watchlist.commands", "--to-topic", "trial"), 1, "qnt9 dlq redrive"),
        (("users.events.audit.dlq", "--to-topic", "trial"), 1, "qnt9 dlq redrive"),
        (("users.events", "--to-topic", "quotes.events"), 1, "a topic of your own"),
        (("users.events", "--to-group", "qnt9.audit"), 1, "a group of the system"),
        (("no.such.topic", "--to-topic", "trial"), 1, "no topic"),
        (("users.events",), 2, "--to-group or --to-topic"),
        (("users.events", "--to-group", "g", "--type", "user.signed_up"), 2, "need --to-topic"),
        (("users.events", "--to-group", "g", "--to-topic", "t"), 2, "not both"),
        (("users.events", "--to-topic", "t", "--type", "user.sign_up"), 2, "'user.signed_up'"),
        (("users.events", "--to-topic", "t", "--from", "now", "--to", "1h"), 2, "before it begins"),
        (("users.events", "--to-group", "g", "--to", "beginning"), 2, "before it begins"),
        (("users.events", "--to-group", "g", "--from", "now", "--to", "0"), 2, "before it begins"),
        (("users.events", "--to-group", "g", "--from", "now", "--to", "1"), 2, "before it begins"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_a_replay_must_not_do_is_refused_before_anything_happens(
    stack: Stack, words: tuple[str, ...], code: int, said: str
) -> None:
    refused = stack.run("replay", words[0], "--from", "0", "--to", "now", *words[1:])
    assert refused.returncode == code
    assert said in refused.stderr
    assert not refused.stdout


async def test_a_group_with_members_is_never_moved(stack: Stack) -> None:
    group = f"live.{uuid4().hex}"
    consumer = AIOKafkaConsumer(USERS_EVENTS.name, **stack.kafka_options(), group_id=group)
    async with consumer:

        async def joined() -> bool:
            await consumer.getmany(timeout_ms=50)
            return bool(consumer.assignment())

        await eventually(joined, what="joined")
        words = ("replay", USERS_EVENTS.name, "--from", "0", "--to", "now", "--to-group", group)
        refused = await asyncio.to_thread(stack.run, *words)
    assert refused.returncode == 1
    assert "a live group is never moved" in refused.stderr


async def test_lag_has_every_partition_of_every_group_with_its_members(stack: Stack) -> None:
    await until_quiescent(stack)
    lags = json.loads(stack.qnt9("lag", "--json"))
    places = {(each["group"], each["topic"], each["partition"]) for each in lags}
    for partition in range(6):
        assert (AUDIT.group, USERS_EVENTS.name, partition) in places
    assert (WATCHLIST.group, REDRIVE, 0) in places
    assert all(each["members"] == 1 for each in lags if each["group"] == WATCHLIST.group)
    assert "qnt9.watchlist" in stack.qnt9("lag")


async def test_tail_shows_messages_as_they_come(stack: Stack) -> None:
    begin = await a_moment()
    [record] = await send_good(stack, USERS_EVENTS, 1)
    words = ("tail", USERS_EVENTS.name, "--from", begin.isoformat(), "--key", record.key.decode())
    displayed = json.loads(stack.qnt9(*words, "--limit", "1", "--json"))
    assert (displayed["id"], displayed["type"]) == (str(record.id), "qnt9.user.signin_failed.v1")
    assert displayed["data"]["reason"] == "unknown_address"
    assert "qnt9.user.signin_failed.v1" in stack.qnt9(*words, "--limit", "1")


async def test_tail_ends_at_the_end_and_searches(stack: Stack) -> None:
    sent = await send_good(stack, USERS_EVENTS, 4)
    chosen = sent[2]

    def found(*words: str) -> list[dict[str, object]]:
        lines = stack.qnt9("tail", USERS_EVENTS.name, "--until-end", "--json", *words)
        return [json.loads(line) for line in lines.splitlines()]

    [displayed] = found("--header", f"ce_id={chosen.id}")
    assert displayed["id"] == str(chosen.id)
    assert [displayed] == found("--text", str(chosen.id).upper(), "--from", "1h")
    assert displayed in found("--correlation-id", str(displayed["correlation_id"]))
    assert found("--text", "nobody has ever written this") == []
    wrong = await asyncio.to_thread(stack.run, "tail", "users.events", "--type", "user.sign_up")
    assert wrong.returncode == 2
    assert "Did you mean 'user.signed_up'?" in wrong.stderr


async def test_a_range_that_is_cut_says_so(stack: Stack) -> None:
    await send_good(stack, USERS_EVENTS, 6)
    words = ("replay", USERS_EVENTS.name, "--dry-run", "--json")
    everything = await asyncio.to_thread(
        stack.run, *words, "--from", "1969-12-31", "--to", "999999999"
    )
    assert everything.returncode == 0
    assert "999999999 is beyond the end of partitions 0, 1, 2, 3, 4, 5" in everything.stderr
    since = await asyncio.to_thread(stack.run, *words, "--from", "99999d")
    assert since.returncode == 0
    assert "cut" not in since.stderr
    assert json.loads(since.stdout)["records"] >= json.loads(everything.stdout)["records"] > 0
    future = await asyncio.to_thread(stack.run, *words, "--from", "1h", "--to", "2099-01-01")
    assert "its end is in the future" in future.stderr


def test_topics_shows_the_topology_and_that_the_broker_has_it(stack: Stack) -> None:
    answer = json.loads(stack.qnt9("topics", "--json"))
    assert answer["same"] is True
    assert USERS_EVENTS.name in {topic["name"] for topic in answer["topics"]}
    assert "qnt9.audit" in stack.qnt9("topics")
