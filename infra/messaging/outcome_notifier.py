"""Wake-ups: outcomes on their way back to the gateway process that waits for them.

A channel a process; one message a batch and channel: `{"outcomes": [{id, fingerprint, …}]}`.
Best effort: whoever hears nothing reads the row.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.outcomes import Outcome
from infra.messaging.access_changes import CHANNEL, AccessChanges
from infra.observability.telemetry import ANNOUNCEMENTS_LOST
from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

ANNOUNCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """One outcome for one waiting process."""

    channel: str
    command_id: UUID
    outcome: Outcome
    fingerprint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the message that the waiting gateway reads."""
        return {
            "id": str(self.command_id),
            "fingerprint": self.fingerprint,
            "outcome": self.outcome.to_json(),
        }


class OutcomeNotifier:
    """Announces outcomes on the cache server. Never raises: a lost announcement is polled for."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(
        self, announcements: Iterable[Announcement], changes: AccessChanges | None = None
    ) -> bool:
        """Whether somebody was there to hear each outcome.

        Changes first: who hears that something is done finds that every gateway knows.
        """
        channels: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for announcement in announcements:
            channels[announcement.channel].append(announcement.to_json())
        if not channels and not changes:
            return True
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                if changes:
                    await self._redis.publish(CHANNEL, changes.to_json())
                listeners = await asyncio.gather(
                    *(
                        self._redis.publish(channel, orjson.dumps({"outcomes": outcomes}))
                        for channel, outcomes in channels.items()
                    )
                )
        except (RedisError, OSError, TimeoutError) as error:
            ANNOUNCEMENTS_LOST.inc(sum(map(len, channels.values())))
            log.warning("announcement_lost", error=kind_of(error))
            return False
        return all(listeners)
