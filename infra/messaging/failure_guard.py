"""When a consumer's own handler is what fails: the guard that pauses it, and how the pause ends."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LATEST = 200
MIN_SOURCES_OF_LATEST = 20
MIN_SOURCES_IN_WINDOW = 50
MAX_SHARE = 0.01
WINDOW_SECONDS = 600.0
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Source:
    """Whose message a handler failed on: its key, the user who sent it, the client it came from.

    What a message does not have counts as its key.
    """

    key: bytes | None
    actor: object = None
    client: object = None


class FailureGuard:
    """Notices when so many different messages fail in a handler that the fault must be its own.

    Failures count by source: as many as there are different keys, different users and different
    clients among them, whichever is the smallest. So nobody trips it alone, however much they send.
    It trips when of the latest 200 messages half or more failed, of 20 sources; or when within ten
    minutes 50 sources failed and they are more than 1 % of what was handled.

    Records that cannot be read, and input that a handler refuses, never count.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._latest: deque[Source | None] = deque(maxlen=LATEST)
        self._failed: deque[tuple[float, Source]] = deque(maxlen=MAX_REMEMBERED)
        self._handled: deque[tuple[float, int]] = deque(maxlen=MAX_REMEMBERED)
        self.tripped = False

    def succeed(self, count: int) -> None:
        """So many messages were handled."""
        self._latest.extend([None] * min(count, LATEST))
        self._handled.append((self._now(), count))

    def fail(self, source: Source) -> bool:
        """A handler gave up on a message. Returns whether the guard is tripped now."""
        self._failed.append((self._now(), source))
        self._latest.append(source)
        self.tripped = self.tripped or self._is_flood()
        return self.tripped

    def trip(self) -> None:
        """Pause as another process, or this one before its restart, decided."""
        self.tripped = True

    def reset(self) -> None:
        """Begin anew, with nothing counted."""
        self.tripped = False
        self._latest.clear()
        self._failed.clear()
        self._handled.clear()

    def _is_flood(self) -> bool:
        latest = [source for source in self._latest if source]
        if len(latest) * 2 >= len(self._latest) and count_sources(latest) >= MIN_SOURCES_OF_LATEST:
            return True
        since = self._now() - WINDOW_SECONDS
        while self._failed and self._failed[0][0] < since:
            self._failed.popleft()
        while self._handled and self._handled[0][0] < since:
            self._handled.popleft()
        failed = count_sources([source for _, source in self._failed])
        handled = sum(count for _, count in self._handled)
        return failed >= MIN_SOURCES_IN_WINDOW and failed > MAX_SHARE * handled


def count_sources(failed: list[Source]) -> int:
    """How many different senders these messages have at least."""
    return min(map(len, map(set, _aspects(failed)))) if failed else 0


def _aspects(failed: list[Source]) -> Iterator[list[object]]:
    yield [source.key for source in failed]
    yield [source.key if source.actor is None else source.actor for source in failed]
    yield [source.key if source.client is None else source.client for source in failed]
