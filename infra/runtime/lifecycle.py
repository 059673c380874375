"""The life of a process: signals are ours, clean-up is last in, first out.

See docs/graceful-shutdown.md.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self

import structlog

log = structlog.get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class GracefulShutdownHandler:
    """Owns SIGTERM and SIGINT. Entered resources are released in reverse order of entry.

    `draining` is set first, so that health checks can say so while work in flight ends.
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

    def background(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """Run a loop until its turn to be released comes. If it fails, the process ends."""
        task = asyncio.create_task(loop, name=name)
        asked = False

        def ended(done: asyncio.Task[None]) -> None:
            # A client that awaits what it has cancelled itself can end a loop that way.
            astray = asyncio.CancelledError("by itself") if done.cancelled() and not asked else None
            error = astray or (None if done.cancelled() else done.exception())
            if error:
                log.critical("loop_failed", loop=name, exc_info=error)
                self.failed = True
                self.draining.set()

        async def stop() -> None:
            nonlocal asked
            asked = True
            task.cancel()
            await asyncio.wait({task})

        task.add_done_callback(ended)
        self.on_shutdown(name, stop)

    async def run_until_signalled(self) -> None:
        """Wait until the process is asked to stop. Raises `SystemExit` after a failed loop."""
        log.info("process_ready")
        await self.draining.wait()
        if self.failed:
            raise SystemExit(1)

    def _on_signal(self, number: signal.Signals) -> None:
        if not self.draining.is_set():
            log.info("draining", signal=signal.Signals(number).name)
        self.draining.set()
