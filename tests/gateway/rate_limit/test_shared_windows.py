"""Trips to the cache server: shared, exact over processes, short when it is away or ill."""

import asyncio
import signal
import time
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from gateway.rate_limit.shared_windows import ANSWER_SECONDS, SharedWindows
from gateway.rate_limit.window import Check
from infra.redis.client import open_redis
from infra.runtime.settings import RedisSettings
from tests.support.gateway.cache_servers import calls, send, upset
from tests.support.waiting import until

SLACK_SECONDS = 5.0


def a_check(most: int = 1_000) -> Check:
    return Check(f"qnt9:limit:test:{uuid4().hex}", most, 60)


async def test_all_who_ask_in_one_turn_share_a_trip(redis: Redis) -> None:
    windows = SharedWindows(redis)
    await windows.take([a_check()])
    before = await calls(redis, "evalsha")
    checks = [a_check(), a_check()]
    counts = await asyncio.gather(*(windows.take(checks) for _ in range(64)))
    assert await calls(redis, "evalsha") == before + 1
    assert sorted(c[0].remaining for c in counts if c) == list(range(936, 1_000))


async def test_who_asks_while_a_trip_is_under_way_waits_for_the_next(redis: Redis) -> None:
    windows, check = SharedWindows(redis), a_check()

    async def client() -> None:
        for _ in range(10):
            assert await windows.take([check])

    before = await calls(redis, "evalsha")
    await asyncio.gather(*(client() for _ in range(64)))
    trips = await calls(redis, "evalsha") - before
    assert trips <= 64, "640 requests"


async def test_two_processes_count_together_exactly(valkey_url: str) -> None:
    check = a_check(500)
    settings = RedisSettings(redis_url=SecretStr(valkey_url))

    async def client(windows: SharedWindows) -> int:
        counts = [await windows.take([check]) for _ in range(20)]
        return sum(not c[0].refused for c in counts if c)

    async with open_redis(settings) as one, open_redis(settings) as other:
        processes = (SharedWindows(one), SharedWindows(other))
        allowed = await asyncio.gather(*(client(processes[i % 2]) for i in range(64)))
    assert sum(allowed) == 500


async def test_a_busy_process_does_not_take_the_server_for_slow(redis: Redis) -> None:
    windows = SharedWindows(redis)
    await windows.take([a_check()])
    asking = asyncio.create_task(windows.take([a_check()]))
    for _ in range(3):
        await asyncio.sleep(0)  # the question is on its way
    time.sleep(2 * ANSWER_SECONDS)  # noqa: ASYNC251  the loop is held up, by intent
    assert await asking


async def test_a_client_that_leaves_leaves_the_others_their_answers(redis: Redis) -> None:
    windows = SharedWindows(redis)
    asking = [asyncio.create_task(windows.take([a_check()])) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert all([await asking[1], await asking[2]])


async def cannot_say(windows: SharedWindows) -> None:
    """All concurrent requests are answered in time, and the next one at once."""
    began = time.monotonic()
    answers = await asyncio.gather(*(windows.take([a_check()]) for _ in range(64)))
    assert answers == [None] * 64
    assert time.monotonic() - began < ANSWER_SECONDS + SLACK_SECONDS
    took = []
    for _ in range(3):
        began = time.monotonic()
        assert await windows.take([a_check()]) is None
        took.append(time.monotonic() - began)
    assert min(took) < ANSWER_SECONDS / 3


async def answers_again(windows: SharedWindows) -> None:
    async def answered() -> bool:
        return await windows.take([a_check()]) is not None

    await until(answered)


async def test_a_server_that_is_away(tmp_path: Path) -> None:
    async with upset(tmp_path) as (valkey, _, windows):
        assert await windows.take([a_check()])
        await valkey.stop()
        await cannot_say(windows)
        await valkey.start()
        await answers_again(windows)


async def test_a_server_that_hangs(tmp_path: Path) -> None:
    async with upset(tmp_path) as (valkey, _, windows):
        assert await windows.take([a_check()])
        valkey.signal(signal.SIGSTOP)
        await cannot_say(windows)
        valkey.signal(signal.SIGCONT)
        await answers_again(windows)
        answers = [await windows.take([a_check(most=7)]) for _ in range(3)]
        assert [a[0].remaining for a in answers if a] == [6, 6, 6], "no late answer is mistaken"


async def test_a_server_that_is_slow(tmp_path: Path) -> None:
    async with upset(tmp_path) as (_, redis, windows):
        busy = asyncio.create_task(send(redis, "DEBUG", "SLEEP", "1"))

        async def is_busy() -> bool:
            return await windows.take([a_check()]) is None

        await until(is_busy)
        await cannot_say(windows)
        await busy
        await answers_again(windows)


async def test_a_server_that_may_not_write(tmp_path: Path) -> None:
    async with upset(tmp_path) as (_, redis, windows):
        await send(redis, "REPLICAOF", "127.0.0.1", "1")
        await cannot_say(windows)
        await send(redis, "REPLICAOF", "NO", "ONE")
        await answers_again(windows)


async def test_a_server_that_is_loading(tmp_path: Path) -> None:
    async with upset(tmp_path) as (_, redis, windows):
        await redis.mset({f"key-{i}": "x" * 1_000 for i in range(20_000)})
        await redis.config_set("loading-process-events-interval-bytes", 1_024)
        await redis.config_set("key-load-delay", 100)
        reloading = asyncio.create_task(send(redis, "DEBUG", "RELOAD"))

        async def loading() -> bool:
            return bool((await redis.info("persistence"))["loading"])

        await until(loading)
        await cannot_say(windows)
        await redis.config_set("key-load-delay", 0)
        reloading.cancel()
        await answers_again(windows)


async def test_a_server_out_of_memory(tmp_path: Path) -> None:
    async with upset(tmp_path) as (_, redis, windows):
        await redis.config_set("maxmemory", 1)
        await cannot_say(windows)
        await redis.config_set("maxmemory", 0)
        await answers_again(windows)


async def test_a_server_that_forgot_the_script_is_sent_it_again(tmp_path: Path) -> None:
    async with upset(tmp_path) as (_, redis, windows):
        await redis.script_flush()
        assert await windows.take([a_check()])


@pytest.mark.parametrize("requests", [1, 300])
async def test_any_number_of_requests_is_answered(redis: Redis, requests: int) -> None:
    windows, check = SharedWindows(redis), a_check()
    counts = await asyncio.gather(*(windows.take([check]) for _ in range(requests)))
    assert sum(not c[0].refused for c in counts if c) == requests


async def test_an_answer_that_no_one_understands_leaves_no_one_waiting(redis: Redis) -> None:
    windows = SharedWindows(redis)
    windows._script = redis.register_script("return {'what', 'is', 'this'}")
    async with asyncio.timeout(ANSWER_SECONDS + SLACK_SECONDS):
        answers = await asyncio.gather(*(windows.take([a_check()] * 2) for _ in range(300)))
    assert answers == [None] * 300
    assert await SharedWindows(redis).take([a_check()]), "the server is as it was"
