"""Whether an Idempotency-Key came before, between a real cache server and a real database."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from gateway.commands.idempotency import RETENTION, IdempotencyStore
from infra.postgres.pool import Pool
from tests.support.gateway.quote_deps import GATEWAY, within
from tests.support.postgres import Database

ID = uuid4()


@pytest.fixture
async def pool(database: Database) -> Pool:
    return await database.pool(GATEWAY)


@pytest.fixture
async def locked(database: Database) -> AsyncIterator[None]:
    """Who reads outcomes waits."""
    pool = await database.pool()
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        yield


async def settled(database: Database, command_id: UUID) -> None:
    await database.execute(
        "INSERT INTO inbox (message_id, consumer, type, outcome) VALUES ($1, 'signup', 'x', '{}')",
        command_id,
    )


async def test_a_second_one_is_a_repetition_at_every_gateway(redis: Redis, pool: Pool) -> None:
    one, other = IdempotencyStore(redis, pool), IdempotencyStore(redis, pool)
    assert not await one.came_before(ID)
    assert not await one.came_meanwhile(ID)
    assert await other.came_before(ID)
    assert await one.came_meanwhile(ID)
    assert not await one.came_before(uuid4())


async def test_of_many_at_once_all_know_but_the_first_who_finds_out(
    redis: Redis, pool: Pool
) -> None:
    gateways = [IdempotencyStore(redis, pool) for _ in range(2)]
    found = await asyncio.gather(*(gateways[n % 2].came_before(ID) for n in range(50)))
    assert found.count(False) == 1
    assert await gateways[found.index(False) % 2].came_meanwhile(ID)


async def test_nothing_is_kept_but_a_number_and_not_for_good(redis: Redis, pool: Pool) -> None:
    await IdempotencyStore(redis, pool).came_before(ID)
    (key,) = await redis.keys()
    assert await redis.get(key) == b"1"
    assert 0 < await redis.ttl(key) <= RETENTION.total_seconds()


async def test_what_the_cache_server_does_not_know_is_in_the_row(
    redis: Redis, redis_away: Redis, pool: Pool, database: Database
) -> None:
    await settled(database, ID)
    for cache in (redis, redis_away):
        assert await IdempotencyStore(cache, pool).came_before(ID)
        assert not await IdempotencyStore(cache, pool).came_before(uuid4())


async def test_with_everything_away_nothing_is_a_repetition(redis_away: Redis, pool: Pool) -> None:
    await pool.close()
    repeated_requests = IdempotencyStore(redis_away, pool)
    for _ in range(2):
        assert not await repeated_requests.came_before(ID)
        assert not await repeated_requests.came_meanwhile(ID)


async def test_a_cache_server_that_hangs_is_waited_for_once_a_second(
    hanging_redis: Redis, pool: Pool
) -> None:
    repeated_requests = IdempotencyStore(hanging_redis, pool)
    with within(2.5):
        for _ in range(100):
            assert not await repeated_requests.came_before(ID)


@pytest.mark.usefixtures("locked")
async def test_a_database_that_hangs_is_waited_for_once(redis: Redis, pool: Pool) -> None:
    repeated_requests = IdempotencyStore(redis, pool)
    with within(2):
        assert not any([await repeated_requests.came_before(uuid4()) for _ in range(100)])


async def test_when_the_database_answers_again_it_is_asked_again(
    redis: Redis, pool: Pool, database: Database
) -> None:
    repeated_requests = IdempotencyStore(redis, pool)
    owner = await database.pool()
    async with owner.acquire() as conn:
        async with conn.transaction():
            await conn.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
            assert not await repeated_requests.came_before(uuid4())
        await settled(database, ID)
    await asyncio.gather(*repeated_requests._reading)
    assert await repeated_requests.came_before(ID)
