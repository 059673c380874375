"""One supervised process: restarted until it is stopped on purpose."""

import asyncio
import contextlib
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable
from enum import StrEnum

import structlog

from devstack.supervisor.components import Part
from devstack.supervisor.environment import of_machine
from devstack.supervisor.layout import Layout
from devstack.supervisor.log_files import limit_size
from devstack.supervisor.records import Records
from infra.runtime.backoff import Backoff, wait_for_event

log = structlog.get_logger()

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
LONG_ENOUGH = 30.0
"""A process that lived this long starts over with the first delay."""
PROBE_EVERY = 0.1
ATTEMPTS_TO_COME_UP = 5
"""After so many exits before readiness, those who wait are informed; restarts continue."""


class State(StrEnum):
    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class NeverReadyError(Exception):
    """A part did not come up; the message says what is known."""


class NotReadyYetError(NeverReadyError):
    """It runs, and has not become ready in the time it was given."""


class Process:
    def __init__(
        self, part: Part, layout: Layout, records: Records, announce: Callable[[str], None]
    ) -> None:
        self.part = part
        self.state = State.WAITING
        self.detail = ""
        self.pid: int | None = None
        self.began = 0.0
        self.took: float | None = None
        self._log_file = layout.log_of(part.name)
        self._folder = layout.run
        self._records = records
        self._announce = announce
        self._ready = asyncio.Event()
        self._was_ready = False
        self._failing = asyncio.Event()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Starts it and returns when it is ready. Started already: waits with whoever did.

        Raises `NeverReadyError` when it fails again and again, and goes on trying even then.
        """
        async with self._turn:
            if self._keeping is None or self._keeping.done():
                self._stop.clear()
                self._ready.clear()
                self._failing.clear()
                self._keeping = asyncio.create_task(self._keep())
            keeping = self._keeping
        ready = asyncio.create_task(self._ready.wait())
        failing = asyncio.create_task(self._failing.wait())
        await asyncio.wait(
            {ready, failing, keeping},
            timeout=self.part.ready_within,
            return_when=asyncio.FIRST_COMPLETED,
        )
        ready.cancel()
        failing.cancel()
        if self._ready.is_set():
            return
        if self._failing.is_set() or keeping.done():
            raise NeverReadyError(self.detail)
        raise NotReadyYetError(f"not ready within {self.part.ready_within:.0f} s")

    async def stop(self) -> None:
        """Asks it to finish, waits for its grace, then ends it."""
        self._stop.set()
        async with self._turn:
            if self._keeping is not None:
                await self._keeping
        self.state, self.detail = State.STOPPED, ""

    def stop_now(self) -> None:
        """No more grace for a stop that is under way."""
        self._stop_now.set()

    async def _keep(self) -> None:
        """Until it is stopped, whatever fails meanwhile: a full disk has room again one day."""
        backoff, attempts = Backoff(FIRST_DELAY, LONGEST_DELAY), 0
        while not self._stop.is_set():
            self.began, self.took = time.monotonic(), None
            code, ending = await self._live_to_its_end()
            if self._stop.is_set():
                log.info("process_stopped", process=self.part.name, code=code)
                return
            self._ready.clear()
            came_up = self._was_ready_since_began()
            attempts = 0 if came_up else attempts + 1
            self._judge_ending(code, ending, attempts)
            if time.monotonic() - self.began > LONG_ENOUGH:
                backoff.succeed()
            delay = backoff.fail()
            log.warning("process_died", process=self.part.name, code=code, again_in=delay)
            if came_up:
                self._report(f"{self.part.name} ended ({ending}), starting it again")
            await wait_for_event(self._stop, delay)

    async def _live_to_its_end(self) -> tuple[int | None, str]:
        """Run it once. Returns its exit code, None where it did not start, and how it ended."""
        try:
            code = await self._live_once()
        except Exception as error:
            log.exception("process_not_started", process=self.part.name)
            return None, str(error) or repr(error)
        return code, _ending(code)

    def _judge_ending(self, code: int | None, ending: str, attempts: int) -> None:
        """Give up on its coming up after some attempts; what was ready once is started again."""
        if attempts < ATTEMPTS_TO_COME_UP and (code is not None or self._was_ready):
            self.state, self.detail = State.RESTARTING, ending
            return
        self.state = State.FAILED
        self.detail = ending
        if code is not None:
            self.detail = f"ended {attempts} times before it was ready, last {ending}"
        self._failing.set()

    async def _live_once(self) -> int:
        if self.part.prepare:
            self.state = State.PREPARING
            await asyncio.to_thread(self.part.prepare, self._say)
            if self._stop.is_set():
                return 0
        self.state, self.detail = State.STARTING, ""
        child = await self._spawn()
        ending = asyncio.create_task(child.wait())
        probing = asyncio.create_task(self._probe_until_ready())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await self._end(child, ending)
            return await ending
        finally:
            probing.cancel()
            stopping.cancel()
            self.pid = None
            with contextlib.suppress(OSError):
                self._records.forget(self.part.name)

    async def _spawn(self) -> asyncio.subprocess.Process:
        limit_size(self._log_file)
        with self._log_file.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *self.part.command,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                env=of_machine() | self.part.variables,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C is for the supervisor, which drains in order
                umask=0o077,
            )
        self.pid = child.pid
        try:
            self._records.add(
                self.part.name, child.pid, tier=self.part.tier, stop_signal=self.part.stop_signal
            )
        except OSError:  # it is written with the next one; the process runs, and is ours
            log.exception("process_not_recorded", process=self.part.name)
        log.info("process_started", process=self.part.name, pid=child.pid)
        return child

    async def _probe_until_ready(self) -> None:
        while not await self._answers():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(PROBE_EVERY)
        self.took = time.monotonic() - self.began
        self.state, self.detail = State.READY, ""
        if self._was_ready:
            self._report(f"{self.part.name} is back")
        self._was_ready = True
        self._failing.clear()
        self._ready.set()
        log.info("process_ready", process=self.part.name, seconds=round(self.took, 2))

    async def _answers(self) -> bool:
        try:
            return await self.part.probe()
        except Exception:
            log.exception("probe_failed", process=self.part.name)
            return False

    async def _end(self, child: asyncio.subprocess.Process, ending: asyncio.Task[int]) -> None:
        self.state = State.STOPPING
        log.info("process_stopping", process=self.part.name, pid=child.pid)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(self.part.stop_signal)
        impatient = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait(
            {ending, impatient}, timeout=self.part.grace, return_when=asyncio.FIRST_COMPLETED
        )
        impatient.cancel()
        if not ending.done():
            log.warning("process_killed", process=self.part.name, pid=child.pid)
            with contextlib.suppress(ProcessLookupError):
                child.kill()

    def _was_ready_since_began(self) -> bool:
        return self.took is not None

    def _report(self, what: str) -> None:
        """To a terminal that may be gone, or a file on a disk that may be full."""
        with contextlib.suppress(OSError):
            self._announce(what)

    def _say(self, what: str) -> None:
        """Called from the thread that prepares; a stop ends the preparation here."""
        if self._stop.is_set():
            raise NeverReadyError("stopped while it was prepared")
        self.detail = what


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
