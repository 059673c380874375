"""Dead letters, from the bug that makes them to what an operator does about them."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from contracts import base64url
from contracts.commands import AddToWatchlist
from contracts.topics import (
    AUDIT,
    WATCHLIST,
    WATCHLIST_COMMANDS,
)
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from gateway.commands.status_token import Handle
from infra.messaging.dead_letters import PREFIX
from tests.support.e2e.broker_view import (
    BrokerState,
    a_follower,
    audited,
    id_of,
    killed_when_begun,
    until_quiescent,
)
from tests.support.e2e.records import Raw, good_record
from tests.support.message_builders import an_envelope
from tests.support.stack import Stack
from tests.support.waiting import eventually

DEAD_LETTERS = WATCHLIST_COMMANDS.dead_letters(WATCHLIST)
REDRIVE = WATCHLIST_COMMANDS.redrive(WATCHLIST)
BOX = f"{WATCHLIST_COMMANDS.name}.{WATCHLIST.name}"


async def test_a_dead_letter_of_a_bug_is_redriven_after_the_fix_to_the_one_that_failed_once(
    stack: Stack,
) -> None:
    broker_state, owner, symbol = BrokerState(stack), await a_follower(stack), "X9997.DE"
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
            dead_letter = await eventually(
                lambda: dead_letter_of(stack, record), what="the dead letter"
            )
        finally:
            await conn.execute(FIX)
    assert dead_letter
    assert dead_letter["reason"] == "RaiseError in a handler"
    assert await status_of(stack, record) == {"status": "pending", "parked": True}
    assert symbol in stack.qnt9("dlq", "show", dead_letter["number"])

    await until_quiescent(stack)
    before, sizes = broker_state.committed(), sizes_of(broker_state)
    stack.qnt9("dlq", "redrive", dead_letter["number"], "--why", "the bug is mended")
    await eventually(lambda: succeeded(stack, record), what="the effect")
    await until_quiescent(stack)
    moved = {place for place, at in broker_state.committed().items() if before.get(place) != at}
    assert {topic for group, (topic, _) in moved if group == WATCHLIST.group} == {REDRIVE}
    assert {group for group, _ in moved} == {WATCHLIST.group, AUDIT.group}
    assert sizes_of(broker_state) == {**sizes, REDRIVE: sizes[REDRIVE] + 1}
    assert await status_of(stack, record) == {"status": "succeeded", "parked": False}
    assert await dead_letter_of(stack, record) is None
    assert await effects_of(stack, owner, record) == (1, 1, 1)

    # Nothing is marked any more: as if it had been killed between acknowledgement and mark.
    async with stack.postgres() as conn:
        await conn.execute("DELETE FROM dead_letter_actions WHERE message_id = $1", record.id)
    stack.qnt9("dlq", "redrive", dead_letter["number"])
    await until_quiescent(stack)
    assert broker_state.size(REDRIVE) == sizes[REDRIVE] + 2
    assert await effects_of(stack, owner, record) == (1, 1, 1)
    again = stack.run("dlq", "redrive", dead_letter["number"])
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert broker_state.size(REDRIVE) == sizes[REDRIVE] + 2


BUG = """
CREATE FUNCTION a_bug() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a bug'; END $$;
CREATE TRIGGER a_bug BEFORE INSERT ON watchlist_items
   FOR EACH ROW WHEN (NEW.symbol = '{symbol}') EXECUTE FUNCTION a_bug()
"""
FIX = "DROP TRIGGER a_bug ON watchlist_items; DROP FUNCTION a_bug()"


async def dead_letter_of(stack: Stack, record: Raw) -> dict[str, Any] | None:
    """As the list has it, if it does."""
    listed = json.loads(
        await asyncio.to_thread(stack.qnt9, "dlq", "list", WATCHLIST_COMMANDS.name, "--json")
    )
    for dead_letter in reversed(listed):
        number = dead_letter["number"]
        displayed = json.loads(await asyncio.to_thread(stack.qnt9, "dlq", "show", number, "--json"))
        if displayed["headers"].get("ce_id") == str(record.id):
            found: dict[str, Any] = dead_letter
            return found
    return None


def sizes_of(broker_state: BrokerState) -> dict[str, int]:
    return {
        name: broker_state.size(name) for name in (WATCHLIST_COMMANDS.name, DEAD_LETTERS, REDRIVE)
    }


async def status_of(stack: Stack, record: Raw) -> dict[str, Any]:
    """What the gateway tells who asks about the command, with the token that it needs left out."""
    credentials = load_or_create(Layout(stack.data))
    handle = Handle(record.id, AddToWatchlist.type, datetime.now(UTC), None, None)
    signed = handle.sign(base64url.decode(credentials.keys["QNT9_GATEWAY_KEY"]))
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


async def dead_letters_of_a_fixed_bug(stack: Stack, number: int) -> list[Raw]:
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
                DEAD_LETTERS, record.value, key=record.key, headers=[*record.headers, *headers]
            )
    return records


async def test_a_redrive_that_was_killed_loses_and_doubles_nothing(stack: Stack) -> None:
    broker_state = BrokerState(stack)
    records = await dead_letters_of_a_fixed_bug(stack, 30)
    ids = {record.id for record in records}
    first = broker_state.size(DEAD_LETTERS) - len(records)
    words = ("dlq", "redrive", f"{BOX}:{first}-{first + len(records) - 1}")
    before = broker_state.size(REDRIVE)

    async def begun() -> bool:
        return await asyncio.to_thread(broker_state.size, REDRIVE) >= before + 8

    with killed_when_begun(stack, *words, "--rate", "8"):
        await eventually(begun, seconds=120, what="the first dead letters")
    assert broker_state.size(REDRIVE) < before + len(records)
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
    [record] = await dead_letters_of_a_fixed_bug(stack, 1)
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO parked_commands (command_id, consumer, type, reason)
            VALUES ($1, 'watchlist', $2, 'a bug')
            """,
            record.id,
            AddToWatchlist.type,
        )
    number = f"{BOX}:{BrokerState(stack).size(DEAD_LETTERS) - 1}"
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
    assert number not in {dead_letter["number"] for dead_letter in listed}
    displayed = stack.qnt9("dlq", "show", number)
    assert f"of no use {record.id}" in " ".join(displayed.split()), "lines end at 80 columns"

    async def recorded() -> int:
        return await audited(stack, "ops.discarded", reason=f"of no use {record.id}")

    assert await eventually(recorded, what="the row of the audit log") == 1
