"""The life of a process: signals are ours, clean-up is last in, first out.

See docs/graceful-shutdown.md.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Self

import structlog

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class GracefulShutdownHandler:
    """Owns SIGTERM and SIGINT. Entered resources are released in reverse order of entry.

    `draining` is set first, so that health and the edge can say so while work in flight ends.
    A second signal changes nothing: draining is bounded by whoever sends SIGKILL.
    """

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self.resources = AsyncExitStack()
        self.failed = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        await self.resources.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.draining.set()
        await self.resources.aclose()
        log.info("process_stopped")

    def on_shutdown(self, name: str, release: Callable[[], Awaitable[object]]) -> None:
        """Run `release` when everything entered after it has been released."""

        async def logged() -> None:
            log.info("releasing", resource=name)
            await release()

        self.resources.push_async_callback(logged)

    async def run_until_signalled(self) -> None:
        """Returns when the process was asked to stop."""
        log.info("process_ready")
        await self.draining.wait()

    def _on_signal(self, number: signal.Signals) -> None:
        if not self.draining.is_set():
            log.info("draining", signal=signal.Signals(number).name)
        self.draining.set()
