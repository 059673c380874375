import asyncio
import time
from collections import deque
from typing import Any, ClassVar

import pytest
from redis.asyncio import Redis

from infra.resilience.policies import (
    CircuitChange,
    CircuitOpenError,
    CircuitPolicy,
    Limited,
    OutOfTimeError,
    RateLimitedError,
    RetryPolicy,
    TransientError,
)
from infra.resilience.shared_circuits import Opening
from tests.support.infra.scripted_provider import (
    LONG,
    QUICK,
    Process,
    Provider,
    a_process,
    fail,
    failing,
    until_answered,
)
from tests.support.waiting import until


class OnceMoreError(TransientError):
    attempts: ClassVar[int | None] = 2


async def test_a_failure_is_tried_again_and_the_last_one_is_reported(redis: Redis) -> None:
    process, provider = a_process(redis, retries=QUICK), failing(2)
    assert await process.upstream.call(provider.ask, within=LONG) == "well"
    assert provider.calls == 3
    provider = failing(3)
    with pytest.raises(TransientError):
        await process.upstream.call(provider.ask, within=LONG)
    assert provider.calls == 3


@pytest.mark.parametrize(("error", "calls"), [(OnceMoreError, 2), (ValueError, 1)])
async def test_some_failures_are_tried_once_more_or_never(
    redis: Redis, error: type[Exception], calls: int
) -> None:
    process, provider = a_process(redis, retries=QUICK), failing(9, error)
    with pytest.raises(error):
        await process.upstream.call(provider.ask, within=LONG)
    assert provider.calls == calls


async def test_no_one_sleeps_past_the_deadline(redis: Redis) -> None:
    process, provider = a_process(redis, retries=RetryPolicy()), failing(9)
    began = time.monotonic()
    with pytest.raises(TransientError):
        await process.upstream.call(provider.ask, within=2.0)
    assert time.monotonic() - began < 1.9
    assert provider.calls == 1


async def test_a_call_is_cut_off_at_the_deadline_and_counts(redis: Redis) -> None:
    process = a_process(redis, circuit=CircuitPolicy(failures=1))
    hanging = Provider(release=asyncio.Event())
    with pytest.raises(OutOfTimeError):
        await process.upstream.call(hanging.ask, within=0.1)
    assert process.path == ["open"]


async def test_a_call_without_a_fair_chance_is_not_begun_and_not_counted(redis: Redis) -> None:
    process, provider = a_process(redis, circuit=CircuitPolicy(failures=1)), Provider()
    for within in (0.01, 0.0, -5.0):
        with pytest.raises(OutOfTimeError):
            await process.upstream.call(provider.ask, within=within)
    assert provider.calls == 0
    assert process.changes == []


async def test_so_many_failures_open_the_circuit_and_a_success_begins_the_count_anew(
    redis: Redis,
) -> None:
    process, provider = a_process(redis), failing(4)
    await fail(process, provider, 4)
    assert await process.upstream.call(provider.ask, within=LONG) == "well"
    provider = failing(5)
    await fail(process, provider, 4)
    assert process.path == []
    await fail(process, provider, 1)
    assert process.path == ["open"]
    with pytest.raises(CircuitOpenError) as error:
        await process.upstream.call(provider.ask, within=LONG)
    assert not error.value.limited
    assert provider.calls == 5


async def test_an_open_circuit_is_not_retried(redis: Redis) -> None:
    circuit = CircuitPolicy(failures=1)
    process, provider = a_process(redis, retries=RetryPolicy(), circuit=circuit), failing(9)
    began = time.monotonic()
    with pytest.raises(TransientError):
        await process.upstream.call(provider.ask, within=LONG)
    with pytest.raises(CircuitOpenError):
        await process.upstream.call(provider.ask, within=LONG)
    assert time.monotonic() - began < 1.9
    assert provider.calls == 1


async def test_one_call_at_a_time_probes_and_closes_the_circuit(redis: Redis) -> None:
    process = a_process(redis)
    await fail(process, failing(5), 5)
    slow = Provider(release=asyncio.Event())
    asking = asyncio.create_task(until_answered(process, slow))
    await until(lambda: slow.calls == 1)
    others = await asyncio.gather(
        *(process.upstream.call(slow.ask, within=LONG) for _ in range(3)), return_exceptions=True
    )
    assert [type(other) for other in others] == [CircuitOpenError] * 3
    assert slow.release
    slow.release.set()
    await asking
    assert slow.calls == 1
    assert process.path == ["open", "half_open", "closed"]


async def test_a_probe_that_fails_opens_the_circuit_again(redis: Redis) -> None:
    process, provider = a_process(redis), failing(6)
    await fail(process, provider, 5)

    async def probed() -> bool:
        try:
            await process.upstream.call(provider.ask, within=LONG)
        except CircuitOpenError:
            return False
        except TransientError:
            return True
        raise AssertionError

    await until(probed)
    assert process.path == ["open", "half_open", "open"]
    await until_answered(process, provider)
    assert process.path[3:] == ["half_open", "closed"]


async def test_a_probe_that_is_cancelled_does_not_close_the_circuit(redis: Redis) -> None:
    process = a_process(redis)
    await fail(process, failing(5), 5)
    hanging = Provider(release=asyncio.Event())
    asking = asyncio.create_task(until_answered(process, hanging))
    await until(lambda: hanging.calls == 1)
    asking.cancel()
    await asyncio.wait({asking})
    assert process.path == ["open", "half_open", "open"]


async def test_one_request_to_stop_is_enough_and_says_until_when(redis: Redis) -> None:
    process, provider = a_process(redis, retries=QUICK), failing(1, RateLimitedError)
    with pytest.raises(RateLimitedError):
        await process.upstream.call(provider.ask, within=LONG)
    with pytest.raises(CircuitOpenError) as error:
        await process.upstream.call(provider.ask, within=LONG)
    assert error.value.limited
    assert provider.calls == 1
    change, limited = process.changes
    assert change == CircuitChange("sandbox", "closed", "open", "rate limited")
    assert isinstance(limited, Limited)
    assert 290 < limited.until.timestamp() - time.time() <= 300


@pytest.mark.parametrize(("asked", "given"), [(10.0, 300), (900.0, 900), (90_000.0, 3_600)])
async def test_a_provider_is_left_alone_as_long_as_it_asks_within_bounds(
    redis: Redis, asked: float, given: int
) -> None:
    process, provider = a_process(redis), Provider(deque([RateLimitedError(asked)]))
    with pytest.raises(RateLimitedError):
        await process.upstream.call(provider.ask, within=LONG)
    (limited,) = [c for c in process.changes if isinstance(c, Limited)]
    assert given - 5 < limited.until.timestamp() - time.time() <= given


async def test_each_further_request_to_stop_doubles_the_rest_up_to_a_bound(redis: Redis) -> None:
    circuit = CircuitPolicy(limited_seconds=0.05, limited_seconds_most=0.15)
    process, provider = a_process(redis, circuit=circuit), failing(4, RateLimitedError)
    seen: list[float] = []

    async def limited() -> bool:
        try:
            await process.upstream.call(provider.ask, within=LONG)
        except CircuitOpenError:
            return False
        except RateLimitedError:
            seen.append(round(_opening(process).seconds, 2))
        return len(seen) == 4

    await until(limited)
    assert seen == [0.05, 0.1, 0.15, 0.15]
    await until_answered(process, provider)
    assert _opening(process) == Opening()


async def test_several_requests_to_stop_at_once_count_as_one(redis: Redis) -> None:
    process = a_process(redis)
    provider = Provider(deque(RateLimitedError() for _ in range(4)), release=asyncio.Event())
    calls = [
        asyncio.create_task(process.upstream.call(provider.ask, within=LONG)) for _ in range(4)
    ]
    await until(lambda: provider.calls == 4)
    assert provider.release
    provider.release.set()
    await asyncio.wait(calls)
    assert {type(call.exception()) for call in calls} == {RateLimitedError}
    assert [type(change) for change in process.changes] == [CircuitChange, Limited]


async def test_at_most_so_many_calls_run_at_once(redis: Redis) -> None:
    process, provider = a_process(redis), Provider(release=asyncio.Event())
    calls = [
        asyncio.create_task(process.upstream.call(provider.ask, within=LONG)) for _ in range(20)
    ]
    await until(lambda: provider.calls == 4)
    assert provider.release
    provider.release.set()
    await asyncio.gather(*calls)
    assert provider.most_at_once == 4


def _opening(process: Process) -> Opening:
    circuit: Any = process.upstream._circuit
    opening: Opening = circuit.opening
    return opening
