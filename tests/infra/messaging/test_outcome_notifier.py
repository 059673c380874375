from uuid import uuid4

from redis.asyncio import Redis

from contracts.outcomes import Succeeded
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier


def announcements(*channels: str) -> list[Announcement]:
    return [Announcement(channel, uuid4(), Succeeded()) for channel in channels]


async def test_an_announcement_reports_whether_someone_heard_it(redis: Redis) -> None:
    outcome_notifier = OutcomeNotifier(redis)
    async with redis.pubsub() as listener:
        await listener.subscribe("here")
        assert await outcome_notifier.announce(announcements("here", "here"))
        assert not await outcome_notifier.announce(announcements("here", "nobody"))
    assert not await outcome_notifier.announce(announcements("here"))
    assert await outcome_notifier.announce([])


async def test_without_the_cache_server_no_one_heard(redis_away: Redis) -> None:
    assert not await OutcomeNotifier(redis_away).announce(announcements("here"))
