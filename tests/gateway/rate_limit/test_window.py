"""The sliding window, in memory and in the cache server: the same tests for both."""

import time
from collections.abc import Callable, Coroutine, Sequence
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.rate_limit.shared_windows import SharedWindows
from gateway.rate_limit.window import SPARED, Check, Count, Windows
from tests.support.waiting import until

Take = Callable[[Sequence[Check]], Coroutine[None, None, list[Count] | None]]


@pytest.fixture(params=["memory", "server"])
def take(request: pytest.FixtureRequest, redis: Redis) -> Take:
    if request.param == "server":
        return SharedWindows(redis).take
    windows = Windows(100)

    async def in_memory(checks: Sequence[Check]) -> list[Count] | None:
        return windows.take(checks, time.monotonic())

    return in_memory


def a_check(most: int, seconds: int = 60) -> Check:
    return Check(f"qnt9:limit:test:{uuid4().hex}", most, seconds)


async def taken(take: Take, *checks: Check) -> list[Count]:
    counts = await take(checks)
    assert counts
    return counts


async def test_as_many_as_may_be_and_no_more(take: Take) -> None:
    check = a_check(3)
    counts = [(await taken(take, check))[0] for _ in range(5)]
    assert [count.refused for count in counts] == [False, False, False, True, True]
    assert [count.remaining for count in counts] == [2, 1, 0, 0, 0]
    assert all(50 < count.seconds <= 60 for count in counts)


async def test_what_one_check_refuses_is_counted_by_none(take: Take) -> None:
    narrow, wide = a_check(1), a_check(10)
    await taken(take, wide, narrow)
    for _ in range(3):
        assert [c.refused for c in await taken(take, wide, narrow)] == [False, True]
    assert (await taken(take, wide))[0].remaining == 8


async def test_there_is_room_again_when_the_window_has_passed(take: Take) -> None:
    check = a_check(2, seconds=1)
    began = time.monotonic()
    await taken(take, check)
    await taken(take, check)
    refused = (await taken(take, check))[0]
    assert refused.refused
    assert 0 < refused.seconds <= 1

    async def allowed() -> bool:
        return not (await taken(take, check))[0].refused

    await until(allowed)
    assert 0.95 <= time.monotonic() - began < 9


async def test_requests_leave_the_window_as_they_came(take: Take) -> None:
    check = a_check(4, seconds=1)
    await taken(take, check)

    async def half_a_window_later() -> bool:
        return time.monotonic() > began + 0.5

    began = time.monotonic()
    await until(half_a_window_later)
    for _ in range(3):
        await taken(take, check)

    async def allowed() -> bool:
        return not (await taken(take, check))[0].refused

    await until(allowed)
    assert (await taken(take, check))[0].refused, "one left, so one was let in"


async def test_anyone_who_is_known_is_spared(redis: Redis) -> None:
    check = a_check(1)
    known = Check(check.key, 1, 60, unless=f"{check.key}:known")
    windows = SharedWindows(redis)
    assert [(await taken(windows.take, known))[0].refused for _ in range(2)] == [False, True]
    other = a_check(5)
    await windows.forget(other.key, known=f"{check.key}:known", seconds=60)
    spared, counted = await taken(windows.take, known, other)
    assert spared == SPARED
    assert counted.remaining == 4


async def test_what_succeeded_or_was_not_tried_leaves_the_count(redis: Redis) -> None:
    check, windows = a_check(3), SharedWindows(redis)
    for _ in range(3):
        await taken(windows.take, check)
    await windows.give_back(check.key)
    assert (await taken(windows.take, check))[0].remaining == 0
    await windows.forget(check.key, known=f"{check.key}:known", seconds=60)
    assert (await taken(windows.take, check))[0].remaining == 2
    for _ in range(5):
        await windows.give_back(check.key)
    assert (await taken(windows.take, check))[0].remaining == 2


def test_what_was_not_tried_leaves_the_count_in_memory() -> None:
    check, windows = a_check(3, seconds=20), Windows(1)
    for now in (0.0, 0.5, 5.0):
        assert windows.take([check], now)
    windows.give_back(check.key)
    (count,) = windows.take([check], 6.0) or []
    assert (count.refused, count.remaining, count.seconds) == (False, 0, 14.0), "the last one left"
    for _ in range(5):
        windows.give_back(check.key)
    assert windows.take([a_check(3)], 6.0), "its room is free again"


async def test_nothing_stays_in_the_server_for_ever(redis: Redis) -> None:
    check, windows = a_check(3, seconds=60), SharedWindows(redis)
    await taken(windows.take, check)
    await windows.forget(a_check(1).key, known=f"{check.key}:known", seconds=60)
    assert 0 < await redis.pttl(check.key) <= 60_000
    assert 0 < await redis.pttl(f"{check.key}:known") <= 60_000


def test_memory_is_bounded_and_swept() -> None:
    windows = Windows(2)
    checks = [a_check(5, seconds=1) for _ in range(3)]
    assert windows.take([checks[0]], 10.0)
    assert windows.take([checks[1]], 10.0)
    assert windows.take([checks[2]], 10.5) is None
    assert windows.take([checks[0]], 10.6), "who is counted already is still counted"
    assert windows.take([checks[2]], 12.0)
