"""Look-ups under way, one a symbol: whoever asks meanwhile joins.

What is asked for within a moment is looked up together. A batch does not wait for its look-ups: a
slow one holds up nobody, and the next batch may still join.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from infra.messaging.inbound import traced_of
from infra.observability.tracing import TRACING
from infra.postgres.pool import UNAVAILABLE
from infra.runtime.clock import CLOCK
from workers.quotes.rules import Asker, waits_until

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.025
MAX_OPEN = 1_000
FINISH_SECONDS = 10.0


@dataclass(eq=False)
class LookUp:
    """One symbol or text, who asks for it, and until when the first of them wait."""

    subject: str
    askers: list[Asker]
    ends: datetime

    @property
    def seconds_left(self) -> float:
        """How many seconds those who asked first still wait, the last of them counted."""
        return (self.ends - CLOCK.now()).total_seconds()


class LookUps:
    """Runs `look_up` once for all who ask while it runs."""

    def __init__(
        self,
        look_up: Callable[[Sequence[LookUp]], Awaitable[None]],
        *,
        gather_seconds: float = GATHER_SECONDS,
        most_open: int = MAX_OPEN,
    ) -> None:
        self._look_up = look_up
        self._gather_seconds = gather_seconds
        self._most_open = most_open
        self._open: dict[str, LookUp] = {}
        self._gathered: list[LookUp] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, asked: dict[str, list[Asker]]) -> None:
        """Returns at once, unless so many are under way that no more should be taken on."""
        for subject, askers in asked.items():
            self._join(subject, askers)
        while len(self._open) > self._most_open:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def close(self, look_up: LookUp) -> None:
        """It is answered: who comes now begins another."""
        if self._open.get(look_up.subject) is look_up:
            del self._open[look_up.subject]

    async def finish(self) -> None:
        """Returns when nothing is under way."""
        ends = asyncio.get_running_loop().time() + FINISH_SECONDS
        while self._tasks and (left := ends - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    def _join(self, subject: str, askers: list[Asker]) -> None:
        if found := self._open.get(subject):
            found.askers += askers
            return
        look_up = LookUp(subject, list(askers), waits_until(askers, CLOCK.now()))
        self._open[subject] = look_up
        if not self._gathered:
            task = asyncio.create_task(self._run(), name="look-ups")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._gathered.append(look_up)

    async def _run(self) -> None:
        await asyncio.sleep(self._gather_seconds)
        look_ups, self._gathered = self._gathered, []
        askers = [asker for each in look_ups for asker in each.askers]
        try:
            with TRACING.batch("look up for", "client", traced_of(askers), {}):
                await self._look_up(look_ups)
        except Exception as error:  # noqa: BLE001  # those who wait time out; others go on
            _log(error)
        finally:
            for look_up in look_ups:
                self.close(look_up)


def _log(error: Exception) -> None:
    """What Postgres did not take is not news: the consumer of commands says so, too."""
    remaining = error
    if isinstance(error, ExceptionGroup):
        _, others = error.split(UNAVAILABLE)
        if others is None:
            log.warning("look_up_not_recorded", error="database unavailable")
            return
        remaining = others
    if isinstance(remaining, UNAVAILABLE):
        log.warning("look_up_not_recorded", error=type(remaining).__name__)
    else:
        log.error("look_up_failed", exc_info=remaining)
