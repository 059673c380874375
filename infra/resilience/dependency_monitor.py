"""Servers that a process needs: whether each of them answers, asked all the time.

A server that hangs is as good as one that is away. Whoever meets it first says so (`suspect`), and
from then on it counts as away for everybody, until it has answered a question of ours in time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Gauge

from infra.runtime.tls import kind_of

log = structlog.get_logger(__name__)

PROBE_SECONDS = 4.0
EVERY_SECONDS = 4.0
AWAY_SECONDS = 1.0
"""So long between two questions while it is away."""

UP = Gauge("qnt9_dependency_up", "1 while the server answers", ["dependency"])

Probe = Callable[[], Awaitable[object]]
"""One question. Raises, or takes too long, when the server does not do its work."""


class AwayError(OSError):
    """The server is known not to answer: it was not asked."""


class Dependency:
    """One server. `watch` must run beside the work."""

    def __init__(
        self,
        name: str,
        probe: Probe,
        *,
        seconds: float = PROBE_SECONDS,
        every: float = EVERY_SECONDS,
        away_every: float = AWAY_SECONDS,
    ) -> None:
        self.name = name
        self._probe = probe
        self._seconds = seconds
        self._every = every
        self._away_every = away_every
        self._reason: str | None = "it was not asked yet"
        self._since = time.monotonic()
        self._asked_once = False
        self._suspected = asyncio.Event()

    @property
    def is_away(self) -> bool:
        """Whether it did not answer when it was asked last. Before the first question it is not."""
        return self._asked_once and self._reason is not None

    @property
    def problem(self) -> str | None:
        """In an operator's words, what is wrong with it; None while it answers."""
        if self._reason is None:
            return None
        seconds = time.monotonic() - self._since
        return f"{self.name} does not answer for {seconds:.0f} s: {self._reason}"

    def check(self) -> None:
        """Raise `AwayError` while the dependency is away."""
        if self.is_away:
            raise AwayError(f"{self.name} is away")

    def suspect(self, error: BaseException) -> None:
        """Note that a call got no answer: it is away until it answers a probe."""
        self._is_away(error)
        self._suspected.set()

    async def watch(self) -> None:
        """Ask whether it answers, for ever."""
        while True:
            self._suspected.clear()
            await self.ask()
            try:
                async with asyncio.timeout(self._away_every if self._reason else self._every):
                    await self._suspected.wait()
            except TimeoutError:
                pass

    async def ask(self) -> None:
        """Ask once, and take note of the answer."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._probe()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            self._is_away(TimeoutError())  # a client that was cancelled by itself
        except Exception as error:  # noqa: BLE001  # whatever it is, it is no answer
            self._is_away(error)
        else:
            if self._asked_once and self._reason is not None:
                log.info("dependency_back", dependency=self.name)
            self._reason, self._asked_once = None, True
            UP.labels(self.name).set(1)

    def _is_away(self, error: BaseException) -> None:
        if self._reason is None:
            self._since = time.monotonic()
            log.warning(
                "dependency_away",
                dependency=self.name,
                error=kind_of(error),
                detail=str(error)[:200],
            )
        self._reason, self._asked_once = kind_of(error), True
        UP.labels(self.name).set(0)
