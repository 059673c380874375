"""`qnt9 consumers`: what waits for a consumer that is held up, and what becomes of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from contracts.topics import WATCHLIST, WATCHLIST_COMMANDS
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from tests.support.e2e.broker_view import audited, until_quiescent
from tests.support.e2e.records import good_record
from tests.support.stack import Stack
from tests.support.waiting import eventually

NAME = WATCHLIST.name
TOPIC = WATCHLIST_COMMANDS.name


async def asked(stack: Stack, *words: str) -> str:
    """What the command says, whatever lines it breaks at 80 columns."""
    said = await asyncio.to_thread(stack.qnt9, "consumers", *words)
    return said if "--json" in words else " ".join(said.split())


async def displayed(stack: Stack) -> Any:
    return json.loads(await asked(stack, "show", NAME, "--json"))[0]


@asynccontextmanager
async def held_up(stack: Stack) -> AsyncIterator[None]:
    """Nobody learns what was handled before, so nothing is handled. In the end it is killed."""
    async with stack.postgres() as conn, conn.transaction():
        await conn.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        yield
        await asyncio.to_thread(stack.kill, NAME)


async def test_records_that_wait_are_skipped_or_set_aside_as_an_operator_says(
    stack: Stack,
) -> None:
    await until_quiescent(stack)
    credentials = load_or_create(Layout(stack.data))
    skipped, aside, handled = records = [
        good_record(WATCHLIST_COMMANDS, credentials) for _ in range(3)
    ]
    async with held_up(stack):
        async with stack.producer() as producer:
            offsets = [await record.send(producer, TOPIC) for record in records]
        at = ("--partition", "0", "--from", str(offsets[0]), "--before", str(offsets[0] + 1))
        skip = ("skip", NAME, TOPIC, *at, "--reason", "a trial of skipping")
        set_aside = ("set-aside", NAME, "--key", aside.key.decode(), "--reason", "a trial")

        assert "1 records would be skipped" in await asked(stack, *skip, "--dry-run")
        assert (await displayed(stack))["instructions"] == []
        assert "1 records will be skipped" in await asked(stack, *skip)
        assert "1 records will be set aside" in await asked(stack, *set_aside)
        reported = await displayed(stack)
        assert [each["action"] for each in reported["instructions"]] == ["set-aside", "skip"]
        assert sum(each["lag"] for each in reported["partitions"]) == len(records)
    await stack.until_ready(NAME)

    async def outcomes() -> dict[Any, Any]:
        query = "SELECT message_id, outcome FROM inbox WHERE message_id = ANY($1)"
        async with stack.postgres() as conn:
            rows = await conn.fetch(query, [record.id for record in records])
        found = {row["message_id"]: json.loads(row["outcome"]) for row in rows}
        return found if handled.id in found else {}

    found = await eventually(outcomes, seconds=60, what="the last of them")
    assert found.keys() == {skipped.id, handled.id}
    assert found[skipped.id]["code"] == "discarded"

    async def dead_letter() -> Any:
        dead_letters = await stack.records(WATCHLIST_COMMANDS.dead_letters(WATCHLIST))
        return [each for each in dead_letters if each.key == aside.key]

    [found_dead_letter] = await eventually(dead_letter, what="the dead letter")
    assert b"a trial" in (dict(found_dead_letter.headers)["qnt9_dlq_reason"] or b"")

    async def reported_to_audit() -> bool:
        return await audited(stack, "ops.consumer_instructed", reason="a trial of skipping") == 1

    await eventually(reported_to_audit, what="the entry in the log")


async def test_pause_is_shown_and_ended(stack: Stack) -> None:
    async with stack.postgres() as conn:
        await conn.execute(
            "INSERT INTO consumer_pauses (consumer, reason) VALUES ($1, 'a trial of pausing')", NAME
        )
    assert "a trial of pausing" in await asked(stack, "show")
    resume = ("resume", NAME, "--reason", "mended")
    assert "would be resumed" in await asked(stack, *resume, "--dry-run")
    assert "resumes within seconds" in await asked(stack, *resume)
    assert "is not paused" in await asked(stack, *resume)
    assert (await displayed(stack))["paused"] is None
    await stack.until_ready(NAME)
