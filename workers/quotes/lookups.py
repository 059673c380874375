"""Look-ups under way, one a symbol: whoever asks meanwhile joins.

A batch waits for its look-ups, but not long: a slow one goes on by itself and holds up nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from infra.postgres.pool import UNAVAILABLE
from workers.quotes.rules import Asker, waits_until

log = structlog.get_logger(__name__)

HOLD_SECONDS = 1.0
FINISH_SECONDS = 10.0


@dataclass(eq=False)
class LookUp:
    """One symbol, who asks for it, and until when the first of them wait."""

    symbol: str
    askers: list[Asker]
    ends: datetime

    @property
    def seconds_left(self) -> float:
        return (self.ends - datetime.now(UTC)).total_seconds()


class LookUps:
    """Runs `look_up` once for all who ask while it runs."""

    def __init__(
        self, look_up: Callable[[LookUp], Awaitable[None]], *, hold_seconds: float = HOLD_SECONDS
    ) -> None:
        self._look_up = look_up
        self._hold_seconds = hold_seconds
        self._open: dict[str, tuple[LookUp, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, asked: dict[str, list[Asker]]) -> None:
        """Raises, in a group, what the look-ups raise in time; of the others it is logged."""
        tasks = {self._join(symbol, askers) for symbol, askers in asked.items()}
        if not tasks:
            return
        done, slow = await asyncio.wait(tasks, timeout=self._hold_seconds)
        for task in slow:
            task.add_done_callback(_log_failure)
        if errors := [error for task in done if (error := task.exception())]:
            raise BaseExceptionGroup("look-ups failed", errors)

    def close(self, look_up: LookUp) -> Sequence[Asker]:
        """All who asked; who comes now begins another."""
        if (found := self._open.get(look_up.symbol)) and found[0] is look_up:
            del self._open[look_up.symbol]
        return look_up.askers

    async def finish(self) -> None:
        """Returns when nothing is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)

    def _join(self, symbol: str, askers: list[Asker]) -> asyncio.Task[None]:
        if found := self._open.get(symbol):
            found[0].askers += askers
            return found[1]
        look_up = LookUp(symbol, list(askers), waits_until(askers, datetime.now(UTC)))
        task = asyncio.create_task(self._run(look_up), name=f"look up {symbol}")
        self._open[symbol] = (look_up, task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, look_up: LookUp) -> None:
        try:
            await self._look_up(look_up)
        finally:
            self.close(look_up)


def _log_failure(task: asyncio.Task[None]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, UNAVAILABLE):
        log.warning("look_up_not_recorded", error=type(error).__name__)
    else:
        log.error("look_up_failed", exc_info=error)
