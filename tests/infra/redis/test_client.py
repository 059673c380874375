"""What anybody with the cache server's password can write, and a process reads."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError  # noqa: A004  # the client's own

from infra.redis.client import MAX_REPLY_BYTES


async def test_reply_of_a_bounded_size_is_read_and_a_larger_one_ends_the_connection(
    redis: Redis,
) -> None:
    most = MAX_REPLY_BYTES // 2
    await redis.set("fits", b"x" * most)
    assert await redis.get("fits") == b"x" * most
    await redis.set("huge", b"x" * 2 * MAX_REPLY_BYTES)
    with pytest.raises(ConnectionError, match="more than"):
        await redis.get("huge")
    with pytest.raises(ConnectionError, match="more than"):
        await redis.mget(["fits"] * 5)
    assert await redis.get("fits") == b"x" * most


async def test_message_that_is_too_large_is_not_held(redis: Redis) -> None:
    async with redis.pubsub() as subscription:
        await subscription.subscribe("a channel")
        await subscription.get_message(timeout=10)
        await redis.publish("a channel", b"x" * 2 * MAX_REPLY_BYTES)
        with pytest.raises(ConnectionError, match="more than"):
            await subscription.get_message(timeout=10)
