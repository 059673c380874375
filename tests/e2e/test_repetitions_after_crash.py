"""One Idempotency-Key again after a crash of the gateway, the worker or Kafka."""

import asyncio
import os
import signal
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.outages import (
    counted,
    stopped,
    symbols,
    until_settled,
    until_well,
)
from tests.support.e2e.repeated_requests import ITEM, PATIENTLY, added, answers_of
from tests.support.e2e.second_gateway import second_gateway
from tests.support.stack import Stack
from tests.support.waiting import eventually


async def on_topic(stack: Stack, topic: str, request_id: str) -> int:
    """How many commands of this request Kafka has."""
    records = await stack.records(topic)
    return sum(("ce_correlationid", request_id.encode()) in record.headers for record in records)


async def test_what_kafka_took_before_its_gateway_died_is_done_once_when_it_is_sent_again(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    request_id = uuid4().hex
    headers = user.headers | PATIENTLY | {"Idempotency-Key": uuid4().hex}

    async def put(http: httpx.AsyncClient, **more: str) -> httpx.Response:
        return await http.put(ITEM, json={"note": "once"}, headers=headers | more)

    async with stack.http() as http, second_gateway(stack) as (process, url):
        async with stopped(stack, "watchlist"):
            async with httpx.AsyncClient(base_url=url, timeout=60) as doomed:
                unanswered = asyncio.create_task(put(doomed, **{"X-Request-ID": request_id}))

                async def taken() -> bool:
                    return await on_topic(stack, "watchlist.commands", request_id) == 1

                await eventually(taken, seconds=120, what="the command on its topic")
                process.kill()
                with pytest.raises(httpx.TransportError):
                    await unanswered
            again = await put(http, Prefer="respond-async")
        assert await until_settled(stack, user, again) == "succeeded"
        answers = [await put(http) for _ in range(2)]
    assert answers_of(answers) == {(201, b'{"note":"once","symbol":"AAPL"}')}
    assert await added(stack, user) == 1


async def test_what_a_worker_committed_before_it_died_is_not_done_again(stack: Stack) -> None:
    """Kafka stands still from before the commit, and dies with what was on its way to it."""
    user = await stack.verified_user()
    headers = user.headers | PATIENTLY | {"Idempotency-Key": uuid4().hex}
    kafka = stack.pid("kafka")

    async def put(http: httpx.AsyncClient) -> httpx.Response:
        return await http.put(ITEM, json={"note": "once"}, headers=headers)

    async with stack.http() as http, stack.postgres() as conn, stack.postgres() as holder:
        async with holder.transaction():
            await holder.execute("SELECT FROM users WHERE email = $1 FOR UPDATE", user.email)
            asked = asyncio.create_task(put(http))

            async def blocked() -> bool:
                waiting = "SELECT $1 = ANY(pg_blocking_pids(pid)) FROM pg_locks WHERE NOT granted"
                return any(row[0] for row in await conn.fetch(waiting, holder.get_server_pid()))

            await eventually(blocked, seconds=120, what="the worker at the lock")
            os.kill(kafka, signal.SIGSTOP)
        first = await asked
        await asyncio.to_thread(stack.kill, "watchlist")
        os.kill(kafka, signal.SIGKILL)
        await until_well(stack)

        async def redelivered() -> bool:
            return await counted(stack, "watchlist", "qnt9_records_total", result="duplicate") > 0

        await eventually(redelivered, seconds=60, what="the command a second time")
        second = await put(http)
    assert answers_of([first, second]) == {(201, b'{"note":"once","symbol":"AAPL"}')}
    assert await added(stack, user) == 1
    assert await symbols(stack, user) == {"AAPL"}
