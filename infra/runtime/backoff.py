"""How long to wait before the next try, and waits that an event ends."""

import asyncio
import random

_MAX_DOUBLINGS = 10


class Backoff:
    """Counts failures in a row. The wait doubles with each, from `shortest` to `longest` seconds.

    `jitter` is the share by which a wait is shorter or longer at random, so that processes that
    failed together do not try again together.
    """

    def __init__(self, shortest: float, longest: float, *, jitter: float = 0.0) -> None:
        self._shortest = shortest
        self._longest = longest
        self._jitter = jitter
        self.failures = 0

    def fail(self, *, grows: bool = True) -> float:
        """Count one more failure. Returns the seconds to wait: the fewest unless `grows`."""
        doublings = min(self.failures, _MAX_DOUBLINGS) if grows else 0
        self.failures += 1
        delay = min(self._longest, self._shortest * 2.0**doublings)
        return delay * random.uniform(1 - self._jitter, 1 + self._jitter)  # noqa: S311  # jitter

    def succeed(self) -> int:
        """Forget the failures: the next wait is the shortest. Returns how many there were."""
        failures, self.failures = self.failures, 0
        return failures


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until an event is set, for so many seconds at most. Returns whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


async def sleep_unevenly(seconds: float) -> None:
    """Sleep between half and one and a half times as long, so that no two processes keep step."""
    await asyncio.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
