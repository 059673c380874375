import asyncio

import pytest
from redis.asyncio import Redis

from infra.resilience.policies import CircuitOpenError, RateLimitedError
from infra.resilience.shared_circuits import SharedCircuit
from tests.support.infra.scripted_provider import (
    LONG,
    Provider,
    a_process,
    fail,
    failing,
    until_answered,
)
from tests.support.waiting import until


async def test_an_opening_holds_for_every_process_and_only_one_reports_it(redis: Redis) -> None:
    first, second = a_process(redis), a_process(redis)
    with pytest.raises(RateLimitedError):
        await first.upstream.call(failing(1, RateLimitedError).ask, within=LONG)
    provider = Provider()
    with pytest.raises(CircuitOpenError) as error:
        await second.upstream.call(provider.ask, within=LONG)
    assert error.value.limited
    assert provider.calls == 0
    assert second.changes == []
    ttl = await redis.pttl("qnt9:circuit:sandbox")
    assert 290_000 < ttl <= 300_000


async def test_one_process_is_elected_to_probe_and_closes_the_circuit_for_all(
    redis: Redis,
) -> None:
    first, second = a_process(redis), a_process(redis)
    await fail(first, failing(5), 5)
    with pytest.raises(CircuitOpenError):
        await second.upstream.call(Provider().ask, within=LONG)
    slow = Provider(release=asyncio.Event())
    asking = asyncio.create_task(until_answered(first, slow))
    await until(lambda: slow.calls == 1)
    with pytest.raises(CircuitOpenError):
        await second.upstream.call(slow.ask, within=LONG)
    assert slow.release
    slow.release.set()
    await asking
    await until_answered(second, Provider())
    assert await redis.keys("qnt9:circuit*") == []


async def test_without_the_cache_server_each_process_decides_alone(redis_away: Redis) -> None:
    first, second = a_process(redis_away), a_process(redis_away)
    await fail(first, failing(5), 5)
    with pytest.raises(CircuitOpenError):
        await first.upstream.call(Provider().ask, within=LONG)
    assert await second.upstream.call(Provider().ask, within=LONG) == "well"
    await until_answered(first, Provider())
    assert first.path == ["open", "half_open", "closed"]


@pytest.mark.parametrize("value", [b"?", b"[]", b'{"until": "x"}', b'{"unheard": 1}'])
async def test_an_opening_that_no_one_can_read_is_none(redis: Redis, value: bytes) -> None:
    await redis.set("qnt9:circuit:sandbox", value)
    assert await SharedCircuit(redis, "sandbox").opening() is None
