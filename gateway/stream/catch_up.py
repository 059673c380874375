"""What a client has missed: from memory, or read once from the topics, as far as that is fair."""

import asyncio
import heapq
from contextlib import aclosing
from dataclasses import dataclass, field

from gateway.stream.events import Event, event_of
from gateway.stream.history import MAX_EVENTS
from gateway.stream.hub import Hub, Subscription
from gateway.stream.positions import Position, places_of
from infra.kafka.broadcast_consumer import GoneError, read_range
from infra.kafka.records import Place
from infra.runtime.settings import KafkaSettings

MAX_READ_EVENTS = 50_000
"""Records of one partition, of whatever user, that are read for one who comes back."""


class LostError(Exception):
    """Missed events cannot be delivered; the text is the reason that the client gets."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What came between two positions, by topic: known already, or yet to be read."""

    known: list[list[Event]] = field(default_factory=list)
    unread: list[tuple[Place, int, int]] = field(default_factory=list)


def missed(hub: Hub, subscription: Subscription, since: Position) -> Missed:
    """Before anything is awaited after joining. Raises `LostError`."""
    found = Missed()
    for place in places_of(subscription.principal.user_id):
        start, until = since.of(place[0]), subscription.start.of(place[0])
        history = hub.history(place)
        if until - start > MAX_READ_EVENTS:
            raise LostError("position-too-old")
        if history.begin <= start <= until:
            found.known.append(history.between(start, until, subscription.key))
        else:  # also a position that this process has not reached yet: is it one?
            found.unread.append((place, start, until))
    return found


class CatchUp:
    """One reading at a time, so that many who come back at once leave the others their share."""

    def __init__(self, settings: KafkaSettings, *, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._turn = asyncio.Lock()

    async def events(self, found: Missed, key: bytes) -> list[Event]:
        """In order within each topic, by time across them.

        Raises `LostError`, and `KafkaError` or `OSError` while the broker is away.
        """
        by_topic = list(found.known)
        for place, start, until in found.unread:
            async with self._turn:
                by_topic.append(await self._read(place, start, until, key))
        return list(heapq.merge(*by_topic, key=lambda event: event.timestamp))

    async def _read(self, place: Place, start: int, until: int, key: bytes) -> list[Event]:
        """First appearances: the reading begins earlier, to know what is a repetition."""
        ids: set[str] = set()
        events: list[Event] = []
        batches = read_range(
            self._settings,
            client_id=self._client_id,
            place=place,
            start=start,
            until=max(start, until),
            before=MAX_EVENTS,
        )
        try:
            async with aclosing(batches):
                async for records in batches:
                    for record in records:
                        if record.key != key or not (event := event_of(record)):
                            continue
                        if event.id not in ids and event.offset >= start:
                            events.append(event)
                        ids.add(event.id)
        except GoneError as error:
            raise LostError("position-unknown") from error
        return events
