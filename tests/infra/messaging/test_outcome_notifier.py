from uuid import uuid4

from redis.asyncio import Redis

from contracts.outcomes import Succeeded
from infra.messaging.outcome_notifier import Announcement, Wakeups


def announcements(*channels: str) -> list[Announcement]:
    return [Announcement(channel, uuid4(), Succeeded()) for channel in channels]


async def test_an_announcement_tells_whether_somebody_heard_it(redis: Redis) -> None:
    wakeups = Wakeups(redis)
    async with redis.pubsub() as listener:
        await listener.subscribe("here")
        assert await wakeups.announce(announcements("here", "here"))
        assert not await wakeups.announce(announcements("here", "nobody"))
    assert not await wakeups.announce(announcements("here"))
    assert await wakeups.announce([])


async def test_without_the_cache_server_nobody_heard(redis_away: Redis) -> None:
    assert not await Wakeups(redis_away).announce(announcements("here"))
