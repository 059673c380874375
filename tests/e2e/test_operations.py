"""The operator's tools, run as an operator runs them."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.commands import AddToWatchlist
from contracts.topics import (
    AUDIT,
    USERS_EVENTS,
    WATCHLIST,
    WATCHLIST_COMMANDS,
)
from gateway.handles import Handle
from infra.embedded.credentials import load_or_create
from infra.embedded.layout import Layout
from infra.kafka.dead_letters import PREFIX
from infra.seals import decode_key
from tests.builders import an_envelope
from tests.e2e.operating import (
    Looking,
    a_follower,
    a_moment,
    at_rest,
    audited,
    killed_when_begun,
    send_good,
)
from tests.e2e.records import Raw, good_record
from tests.stack import Stack, eventually

LETTERS = WATCHLIST_COMMANDS.dead_letters(WATCHLIST)
REDRIVE = WATCHLIST_COMMANDS.redrive(WATCHLIST)
BOX = f"{WATCHLIST_COMMANDS.name}.{WATCHLIST.name}"


def id_of(record: Any) -> UUID | None:
    found = dict(record.headers).get("ce_id")
    return UUID(found.decode()) if found else None


async def test_a_replay_into_a_fresh_group_delivers_what_the_dry_run_counted_and_moves_nobody(
    stack: Stack,
) -> None:
    looking, group = Looking(stack), f"projection.{uuid4().hex}"
    earlier = await send_good(stack, USERS_EVENTS, 7)
    begin = await a_moment()
    wanted = await send_good(stack, USERS_EVENTS, 50)
    end = await a_moment()
    later = await send_good(stack, USERS_EVENTS, 5)
    await at_rest(stack)
    before = looking.committed()

    words = (USERS_EVENTS.name, "--from", begin.isoformat(), "--to", end.isoformat(), "--json")
    counted = json.loads(stack.qnt9("replay", *words, "--to-group", group, "--dry-run"))
    assert looking.committed() == before
    placed = json.loads(stack.qnt9("replay", *words, "--to-group", group, "--reason", "a trial"))
    assert counted["records"] == placed["records"] >= len(wanted)

    after = looking.committed()
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


async def read_in(stack: Stack, group: str, ends: dict[int, int]) -> list[Any]:
    """What a projection in this group gets, each partition up to its end."""
    found: list[Any] = []
    consumer = AIOKafkaConsumer(
        USERS_EVENTS.name,
        **stack.kafka_options(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    async with consumer:

        async def all_read() -> bool:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(record for record in batch if record.offset < ends[record.partition])
            places = consumer.assignment()
            return len(places) == len(ends) and all(
                [await consumer.position(place) >= ends[place.partition] for place in places]
            )

        await eventually(all_read, seconds=30, what="the end of the range")
    return found


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
    looking, copy = Looking(stack), f"trial.{uuid4().hex}"
    begin = await a_moment()
    sent = {record.id for record in await send_good(stack, USERS_EVENTS, 120)}
    end = await a_moment()
    words = (
        *("replay", USERS_EVENTS.name, "--from", begin.isoformat(), "--to", end.isoformat()),
        *("--to-topic", copy),
    )

    async def begun() -> bool:
        return await asyncio.to_thread(looking.size, copy) >= 20

    with killed_when_begun(stack, *words, "--rate", "20"):
        await eventually(begun, seconds=30, what="the first copies")
    before = looking.size(copy)
    assert before < len(sent)
    going_on = stack.run(*words)
    assert going_on.returncode == 0, going_on.stderr
    assert "going on with run" in going_on.stderr

    copies = Counter(map(id_of, await stack.records(copy)))
    assert copies.keys() >= sent
    batch = 20 // 4
    assert copies.total() - len(copies) <= batch, "more was repeated than had no acknowledgement"
    assert not [group for group in looking.groups() if group.startswith("qnt9.ops.replay.")]

    async def recorded() -> int:
        return await audited(stack, "ops.replayed", destination=f"topic {copy}")

    assert await eventually(recorded, what="the row of the audit log") == 1


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
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_a_replay_must_not_do_is_refused_before_anything_happens(
    stack: Stack, words: tuple[str, ...], code: int, said: str
) -> None:
    refused = stack.run("replay", *words, "--from", "0", "--to", "now")
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


async def test_a_dead_letter_of_a_bug_is_redriven_after_the_fix_to_the_one_that_failed_once(
    stack: Stack,
) -> None:
    looking, owner, symbol = Looking(stack), await a_follower(stack), "X9997.DE"
    command = AddToWatchlist(symbol=symbol)
    envelope = an_envelope(command, actor=owner)
    record = Raw(
        envelope.id,
        str(owner).encode(),
        command.model_dump_json().encode(),
        [*envelope.to_headers()],
    )
    async with stack.postgres() as conn, stack.producer() as producer:
        await conn.execute(BUG.format(symbol=symbol))
        try:
            await record.send(producer, WATCHLIST_COMMANDS.name)
            letter = await eventually(lambda: letter_of(stack, record), what="the dead letter")
        finally:
            await conn.execute(FIX)
    assert letter
    assert letter["reason"] == "RaiseError in a handler"
    assert await status_of(stack, record) == {"status": "pending", "parked": True}
    assert symbol in stack.qnt9("dlq", "show", letter["number"])

    await at_rest(stack)
    before, sizes = looking.committed(), sizes_of(looking)
    stack.qnt9("dlq", "redrive", letter["number"], "--why", "the bug is mended")
    await eventually(lambda: succeeded(stack, record), what="the effect")
    await at_rest(stack)
    moved = {place for place, at in looking.committed().items() if before.get(place) != at}
    assert {topic for group, (topic, _) in moved if group == WATCHLIST.group} == {REDRIVE}
    assert {group for group, _ in moved} == {WATCHLIST.group, AUDIT.group}
    assert sizes_of(looking) == {**sizes, REDRIVE: sizes[REDRIVE] + 1}
    assert await status_of(stack, record) == {"status": "succeeded", "parked": False}
    assert await letter_of(stack, record) is None
    assert await effects_of(stack, owner, record) == (1, 1, 1)

    # Nothing is marked any more: as if it had been killed between acknowledgement and mark.
    async with stack.postgres() as conn:
        await conn.execute("DELETE FROM dead_letter_actions WHERE message_id = $1", record.id)
    stack.qnt9("dlq", "redrive", letter["number"])
    await at_rest(stack)
    assert looking.size(REDRIVE) == sizes[REDRIVE] + 2
    assert await effects_of(stack, owner, record) == (1, 1, 1)
    again = stack.run("dlq", "redrive", letter["number"])
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert looking.size(REDRIVE) == sizes[REDRIVE] + 2


BUG = """
CREATE FUNCTION a_bug() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a bug'; END $$;
CREATE TRIGGER a_bug BEFORE INSERT ON watchlist_items
   FOR EACH ROW WHEN (NEW.symbol = '{symbol}') EXECUTE FUNCTION a_bug()
"""
FIX = "DROP TRIGGER a_bug ON watchlist_items; DROP FUNCTION a_bug()"


async def letter_of(stack: Stack, record: Raw) -> dict[str, Any] | None:
    """As the list has it, if it does."""
    listed = json.loads(
        await asyncio.to_thread(stack.qnt9, "dlq", "list", WATCHLIST_COMMANDS.name, "--json")
    )
    for letter in reversed(listed):
        number = letter["number"]
        shown = json.loads(await asyncio.to_thread(stack.qnt9, "dlq", "show", number, "--json"))
        if shown["headers"].get("ce_id") == str(record.id):
            found: dict[str, Any] = letter
            return found
    return None


def sizes_of(looking: Looking) -> dict[str, int]:
    return {name: looking.size(name) for name in (WATCHLIST_COMMANDS.name, LETTERS, REDRIVE)}


async def status_of(stack: Stack, record: Raw) -> dict[str, Any]:
    """What the gateway tells who asks about the command, with the token that it needs left out."""
    credentials = load_or_create(Layout(stack.data))
    handle = Handle(record.id, AddToWatchlist.type, datetime.now(UTC), None, None)
    signed = handle.sign(decode_key(credentials.keys["QNT9_GATEWAY_KEY"]))
    async with stack.http() as http:
        answer = (await http.get(f"/api/v1/commands/{signed}")).json()
    status = {name: answer[name] for name in ("status", "parked")}
    return status | ({"code": answer["problem"]["code"]} if answer.get("problem") else {})


async def succeeded(stack: Stack, record: Raw) -> bool:
    return bool((await status_of(stack, record))["status"] == "succeeded")


async def effects_of(stack: Stack, owner: UUID, record: Raw) -> tuple[int, int, int]:
    """Rows of the watchlist, of the inbox, and of the audit log."""
    async with stack.postgres() as conn:
        count = conn.fetchval
        return (
            await count("SELECT count(*) FROM watchlist_items WHERE user_id = $1", owner),
            await count("SELECT count(*) FROM inbox WHERE message_id = $1", record.id),
            await count("SELECT count(*) FROM audit_log WHERE user_id = $1", owner),
        )


async def letters_of_a_bug_that_is_gone(stack: Stack, number: int) -> list[Raw]:
    """Good commands that lie as dead letters, as the worker sets them aside."""
    credentials = load_or_create(Layout(stack.data))
    records = [good_record(WATCHLIST_COMMANDS, credentials) for _ in range(number)]
    now = datetime.now(UTC).isoformat()
    about = {
        "reason": f"a bug {uuid4().hex}",
        "attempts": "3",
        "first_failure": now,
        "last_failure": now,
        "consumer": WATCHLIST.name,
        "topic": WATCHLIST_COMMANDS.name,
        "partition": "0",
        "offset": "0",
    }
    headers = [(PREFIX + name, value.encode()) for name, value in about.items()]
    async with stack.producer() as producer:
        for record in records:
            await producer.send_and_wait(
                LETTERS, record.value, key=record.key, headers=[*record.headers, *headers]
            )
    return records


async def test_a_redrive_that_was_killed_loses_and_doubles_nothing(stack: Stack) -> None:
    looking = Looking(stack)
    records = await letters_of_a_bug_that_is_gone(stack, 30)
    ids = {record.id for record in records}
    first = looking.size(LETTERS) - len(records)
    words = ("dlq", "redrive", f"{BOX}:{first}-{first + len(records) - 1}")
    before = looking.size(REDRIVE)

    async def begun() -> bool:
        return await asyncio.to_thread(looking.size, REDRIVE) >= before + 8

    with killed_when_begun(stack, *words, "--rate", "8"):
        await eventually(begun, seconds=30, what="the first letters")
    assert looking.size(REDRIVE) < before + len(records)
    stack.qnt9(*words)
    sent = Counter(i for i in map(id_of, await stack.records(REDRIVE)) if i in ids)
    assert sent.keys() == ids
    assert sent.total() - len(sent) <= 8 // 4, "more was repeated than had no mark"

    async def all_handled() -> bool:
        async with stack.postgres() as conn:
            query = "SELECT count(*) FROM inbox WHERE message_id = ANY($1)"
            return bool(await conn.fetchval(query, list(ids)) == len(ids))

    await eventually(all_handled, what="every command")
    async with stack.postgres() as conn:
        query = "SELECT count(*) FROM dead_letter_actions WHERE message_id = ANY($1)"
        assert await conn.fetchval(query, list(ids)) == len(ids)
    assert (stack.run(*words)).stdout == "nothing to do\n"


async def test_a_discarded_command_has_failed_and_is_not_listed_any_more(stack: Stack) -> None:
    [record] = await letters_of_a_bug_that_is_gone(stack, 1)
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO parked_commands (command_id, consumer, type, reason)
            VALUES ($1, 'watchlist', $2, 'a bug')
            """,
            record.id,
            AddToWatchlist.type,
        )
    number = f"{BOX}:{Looking(stack).size(LETTERS) - 1}"
    assert (await status_of(stack, record))["parked"] is True
    assert stack.run("dlq", "discard", number).returncode == 2, "without a reason"
    assert stack.run("dlq", "discard", f"{BOX}:999999", "--reason", "x").returncode == 1
    stack.qnt9("dlq", "discard", number, "--reason", f"of no use {record.id}")
    assert await status_of(stack, record) == {
        "status": "failed",
        "parked": False,
        "code": "discarded",
    }
    listed = json.loads(stack.qnt9("dlq", "list", "--json"))
    assert number not in {letter["number"] for letter in listed}
    assert f"of no use {record.id}" in stack.qnt9("dlq", "show", number)

    async def recorded() -> int:
        return await audited(stack, "ops.discarded", reason=f"of no use {record.id}")

    assert await eventually(recorded, what="the row of the audit log") == 1


async def test_lag_has_every_partition_of_every_group_with_its_members(stack: Stack) -> None:
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
    shown = json.loads(stack.qnt9(*words, "--limit", "1", "--json"))
    assert (shown["id"], shown["type"]) == (str(record.id), "qnt9.user.signin_failed.v1")
    assert shown["data"]["reason"] == "unknown_address"
    assert "qnt9.user.signin_failed.v1" in stack.qnt9(*words, "--limit", "1")


def test_topics_shows_the_topology_and_that_the_broker_has_it(stack: Stack) -> None:
    answer = json.loads(stack.qnt9("topics", "--json"))
    assert answer["same"] is True
    assert USERS_EVENTS.name in {topic["name"] for topic in answer["topics"]}
    assert "qnt9.audit" in stack.qnt9("topics")
