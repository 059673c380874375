"""Announcements of what access tokens no longer tell the truth about."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from redis.asyncio import Redis

from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from infra.messaging.access_changes import CHANNEL, AccessChanges
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier


@dataclass
class Channels:
    """What is published, in order."""

    published: list[tuple[str, bytes]] = field(default_factory=list)

    async def publish(self, channel: str, data: bytes) -> None:
        await asyncio.sleep(0)
        self.published.append((channel, data))


def test_changes_are_what_was_written() -> None:
    changes = AccessChanges({uuid7()}, {uuid7(), uuid7()})
    assert AccessChanges.from_json(changes.to_json()) == changes


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b'{"sessions": 1, "users": []}'])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whose text nobody reads
        AccessChanges.from_json(data)


async def test_gateways_know_before_anyone_hears_that_it_is_done() -> None:
    channels = Channels()
    outcome_notifier = OutcomeNotifier(cast("Redis", channels))
    changes = AccessChanges({uuid7()}, set())
    await outcome_notifier.announce([Announcement("a process", uuid7(), Succeeded())], changes)
    assert [channel for channel, _ in channels.published] == [CHANNEL, "a process"]


async def test_changes_are_given_the_time_no_one_waits_and_nothing_when_there_is_none() -> None:
    channels = Channels()
    outcome_notifier = OutcomeNotifier(cast("Redis", channels))
    await outcome_notifier.announce([], AccessChanges())
    assert not channels.published
    await outcome_notifier.announce([], AccessChanges(set(), {uuid7()}))
    assert [channel for channel, _ in channels.published] == [CHANNEL]
