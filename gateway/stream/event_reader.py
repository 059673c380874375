"""The one reader of a process: every partition of the watched topics, into the hub."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from contracts.topics import QUOTES_EVENTS
from gateway.stream.history import MAX_EVENTS
from gateway.stream.hub import Hub
from gateway.stream.positions import OWN
from infra.kafka.broadcast_consumer import Watch, watching
from infra.kafka.records import Place
from infra.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
LOOK_SECONDS = 10.0

_HISTORY: dict[Place, int] = {
    (topic.name, partition): 0 if topic is QUOTES_EVENTS else MAX_EVENTS
    for topic in (*OWN, QUOTES_EVENTS)
    for partition in range(topic.partitions)
}


class StalledError(Exception):
    """There are records in the topic that the reader ought to have had by now."""


async def watch(settings: KafkaSettings, hub: Hub, *, client_id: str) -> None:
    """For ever, whatever is away meanwhile."""
    while True:
        try:
            async with watching(settings, client_id=client_id, history=_HISTORY) as found:
                hub.begin(found.starts, found.ends)
                log.info("events_watched")
                await _read(found, hub)
        except (KafkaError, OSError, StalledError) as error:
            log.warning("events_unwatched", error=type(error).__name__)
            hub.stop()
            await asyncio.sleep(AGAIN_SECONDS)


async def _read(found: Watch, hub: Hub) -> None:
    """Raises `StalledError` when what was there a while ago has still not come."""
    loop = asyncio.get_running_loop()
    expected, look_at = found.ends, loop.time() + LOOK_SECONDS
    while True:
        for place, records in (await found.read()).items():
            hub.take(place, records)
        if loop.time() >= look_at:
            if any(hub.history(place).next < end for place, end in expected.items()):
                raise StalledError
            expected, look_at = await found.current_ends(), loop.time() + LOOK_SECONDS
