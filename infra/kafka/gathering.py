"""How a consumer fetches: it returns when there is something, and under load with what follows.

What was fetched ahead is what came first after the fetch before it; the rest lies at the broker
until that is taken. Handled with company a record costs less, and waits a moment for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

FEW = 4
GATHER_SECONDS = 0.002

Fetched = dict[Any, list[Any]]
"""Records by partition."""
GetMany = Callable[..., Awaitable[Fetched]]


class Gathering:
    """Fetches for one consumer. Whoever comes alone after few others waits for nobody."""

    def __init__(self, touch: Callable[[], None]) -> None:
        self._touch = touch
        self._last = 0

    async def fetch(self, getmany: GetMany, *, timeout_ms: int, max_records: int) -> Fetched:
        """At least one record, however long that takes; at most `max_records`."""
        fetched: Fetched = {}
        while not fetched:
            fetched = await getmany(timeout_ms=timeout_ms, max_records=max_records)
            self._touch()
        room = max_records - _count(fetched)
        if self._last > FEW and room > 0:
            await asyncio.sleep(GATHER_SECONDS)
            for partition, more in (await getmany(timeout_ms=0, max_records=room)).items():
                fetched.setdefault(partition, []).extend(more)
        self._last = _count(fetched)
        return fetched


def _count(fetched: Fetched) -> int:
    return sum(map(len, fetched.values()))
