"""The last events of one partition: who comes back soon is served from memory."""

from collections import deque

from gateway.stream.events import Event

MAX_EVENTS = 2_000
"""Also how far back a repetition is recognised: what a killed relay sends again is less."""


class History:
    """First appearances alone; `begin` and `next` are offsets."""

    def __init__(self, begin: int, most: int = MAX_EVENTS) -> None:
        self.begin = self.next = begin
        self._most = most
        self._events: deque[Event] = deque()
        self._ids: set[str] = set()

    def add(self, event: Event) -> bool:
        """Whether it appears for the first time. The caller moves `next` on."""
        if event.id in self._ids:
            return False
        self._ids.add(event.id)
        self._events.append(event)
        if len(self._events) > self._most:
            oldest = self._events.popleft()
            self._ids.discard(oldest.id)
            self.begin = oldest.offset + 1
        return True

    def between(self, start: int, until: int, key: bytes) -> list[Event]:
        """Of one key, from `start` on and before `until`."""
        return [e for e in self._events if start <= e.offset < until and e.key == key]
