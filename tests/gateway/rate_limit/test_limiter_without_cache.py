"""Rate limits while the cache server is away."""

import time
from uuid import uuid4

import pytest

from gateway.rate_limit.limiter import Caller, Limits
from gateway.rate_limit.policies import (
    READ,
    SIGN_IN,
    SIGN_UP,
)
from gateway.rate_limit.shared_windows import ANSWER_SECONDS
from tests.support.gateway.limits import a_user, allowed


async def test_without_the_cache_server_signing_up_is_a_quarter(alone: Limits) -> None:
    client = "203.0.113.9"
    tries = [await allowed(alone, SIGN_UP, Caller(client, uuid4().hex), 1) for _ in range(10)]
    assert sum(tries) == 2


async def test_without_the_cache_server_guessing_ends_sooner(alone: Limits) -> None:
    caller = a_user()
    assert await allowed(alone, SIGN_IN, caller, 8) == 2
    owner = a_user()
    await allowed(alone, SIGN_IN, owner, 1)
    await alone.succeeded(await alone.take(SIGN_IN, owner))
    assert await allowed(alone, SIGN_IN, owner, 8) == 2


async def test_without_the_cache_server_what_was_not_tried_is_no_failure_either(
    alone: Limits,
) -> None:
    caller = a_user()
    for _ in range(3):
        await alone.not_tried(await alone.take(SIGN_IN, caller))
    assert await allowed(alone, SIGN_IN, caller, 8) == 2


async def test_what_was_not_tried_is_given_back_where_it_was_counted(
    limits: Limits, alone: Limits
) -> None:
    caller = a_user()
    counted_alone = await alone.take(SIGN_IN, caller)
    assert await allowed(limits, SIGN_IN, caller, 8) == 5
    await limits.not_tried(counted_alone)
    assert await allowed(limits, SIGN_IN, caller, 1) == 0


async def test_without_the_cache_server_reading_goes_on(alone: Limits) -> None:
    assert await allowed(alone, READ, a_user(), 130) == 120


async def test_without_the_cache_server_and_memory_what_is_closed_is_refused(
    alone: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    for windows in (alone._open, alone._closed):
        monkeypatch.setattr(windows, "_most_keys", 0)
    assert await allowed(alone, READ, a_user(), 5) == 5
    assert await allowed(alone, SIGN_IN, a_user(), 5) == 0


async def test_without_the_cache_server_no_one_waits_long(alone: Limits) -> None:
    began = time.monotonic()
    for _ in range(100):
        await alone.take(READ, a_user())
    assert time.monotonic() - began < 100 * ANSWER_SECONDS / 3
