"""Brings the system up in the order of its dependencies, keeps it up, and drains it in reverse."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

from devstack.supervisor import status
from devstack.supervisor.components import Tier
from devstack.supervisor.control import listening
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.layout import Layout
from devstack.supervisor.log_files import keep_bounded
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports, is_free
from devstack.supervisor.process import NeverReadyError, NotReadyYetError, Process, State
from devstack.supervisor.records import Records
from devstack.supervisor.system import Step, parts_of_system, steps_of_system

log = structlog.get_logger()

Announce = Callable[[str], None]


class StartError(Exception):
    """The system did not come up; the message says which part and why."""


class Supervisor:
    def __init__(
        self,
        options: Options,
        layout: Layout,
        credentials: Credentials,
        announce: Announce = lambda _: None,
    ) -> None:
        self.state = "starting"
        self.error = ""
        self.began = time.monotonic()
        self._options = options
        self._layout = layout
        self._credentials = credentials
        self._ports = Ports(options.port_base)
        self._records = Records(layout)
        parts = parts_of_system(layout, credentials, self._ports, options)
        self.processes = {
            part.name: Process(part, layout, self._records, announce) for part in parts
        }
        self.steps = {step.name: step for step in steps_of_system(credentials, self._ports)}
        self._done = {name: asyncio.Event() for name in (*self.processes, *self.steps)}
        self._drain = asyncio.Event()

    def drain(self) -> None:
        """Asked once: stop in order. Asked again: stop now."""
        if self._drain.is_set():
            for process in self.processes.values():
                process.stop_now()
        self._drain.set()

    async def asked_to_drain(self) -> None:
        await self._drain.wait()

    async def run(self) -> None:
        """Until drained. Raises `StartError` when the system does not come up."""
        if ended := await asyncio.to_thread(self._records.end_all):
            log.warning("leftover_processes_ended", processes=ended)
        self._check_ports()
        async with listening(self._layout, self._respond):
            coming_up = asyncio.create_task(self._come_up())
            draining = asyncio.create_task(self._drain.wait())
            bounding = asyncio.create_task(keep_bounded(self._layout.logs))
            try:
                await asyncio.wait({coming_up, draining}, return_when=asyncio.FIRST_COMPLETED)
                if coming_up.done():
                    coming_up.result()
                    self.state = "ready"
                    log.info("system_ready", seconds=round(time.monotonic() - self.began, 2))
                    await draining
            except StartError as error:
                self.error = str(error)
                log.exception("system_start_failed")
                raise
            finally:
                coming_up.cancel()
                draining.cancel()
                bounding.cancel()
                self.state = "stopping"
                await self._go_down()
                with suppress(asyncio.CancelledError, StartError):
                    await coming_up
                self.state = "stopped"
                log.info("system_stopped")

    def _check_ports(self) -> None:
        taken = [
            f"{port} ({process.part.name})"
            for process in self.processes.values()
            for port in process.part.ports
            if not is_free(port)
        ]
        if taken:
            raise StartError(
                f"in use by something else: port {', '.join(taken)}. "
                "End that, or choose other ports with --port-base."
            )

    async def _come_up(self) -> None:
        starting = [
            *(self._start_process(process) for process in self.processes.values()),
            *(self._take_step(step) for step in self.steps.values()),
        ]
        tasks = [asyncio.create_task(each) for each in starting]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _start_process(self, process: Process) -> None:
        await self._after(process.part.after)
        try:
            await process.start()
        except NotReadyYetError as error:
            # Whoever comes to repair what holds a process up needs the rest of the system.
            if process.part.tier == Tier.INFRASTRUCTURE:
                raise StartError(f"{process.part.name}: {error}") from error
            log.warning("process_not_ready", process=process.part.name)
        except NeverReadyError as error:
            raise StartError(f"{process.part.name}: {error}") from error
        self._done[process.part.name].set()

    async def _take_step(self, step: Step) -> None:
        await self._after(step.after)
        began = time.monotonic()
        step.state = State.STARTING
        try:
            step.detail = await step.take()
        except Exception as error:
            step.state, step.detail = State.FAILED, str(error) or repr(error)
            raise StartError(f"{step.name}: {step.detail}") from error
        step.state, step.took = State.READY, time.monotonic() - began
        log.info("step_taken", step=step.name, result=step.detail, seconds=round(step.took, 2))
        self._done[step.name].set()

    async def _after(self, names: tuple[str, ...]) -> None:
        for name in names:
            await self._done[name].wait()

    async def _go_down(self) -> None:
        for tier in sorted(Tier, reverse=True):
            of_tier = [each for each in self.processes.values() if each.part.tier == tier]
            await asyncio.gather(*(each.stop() for each in of_tier))

    async def _respond(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "progress"}:
                return {"ok": True, **status.progress(self)}
            case {"do": "status"}:
                return {"ok": True, "status": await status.of_running(self)}
            case {"do": "down"}:
                self.drain()
                return {"ok": True}
            case {"do": "stop" | "start" | "restart" as verb, "name": str(name)}:
                return await self._command(verb, name)
            case _:
                return {"ok": False, "error": "not understood"}

    async def _command(self, verb: str, name: str) -> dict[str, Any]:
        process = self.processes.get(name)
        if process is None:
            return {"ok": False, "unknown": True, "names": list(self.processes)}
        if self._drain.is_set():
            return {"ok": False, "error": "the system is stopping"}
        log.info("asked", verb=verb, process=name)
        do: dict[str, Callable[[], Awaitable[None]]] = {
            "stop": process.stop,
            "start": process.start,
            "restart": lambda: _restart(process),
        }
        try:
            await do[verb]()
        except NeverReadyError as error:
            return {"ok": False, "error": f"{name}: {error}"}
        return {"ok": True, "state": process.state, "pid": process.pid}

    @property
    def options(self) -> Options:
        return self._options

    @property
    def credentials(self) -> Credentials:
        return self._credentials


async def _restart(process: Process) -> None:
    await process.stop()
    await process.start()
