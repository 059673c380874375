"""What goes wrong under load, and proof that it did."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from tests.support.chaos.ledger import Ledger
from tests.support.stack import Stack
from tests.support.waiting import eventually

READY_SECONDS = 90.0
BETWEEN_KILLS = 1.5
"""Eight processes later the same one is killed again, and long back at work by then."""


class Fault(Protocol):
    """Something that goes wrong under load, and is over on return."""

    @property
    def seconds(self) -> float:
        """How long nothing may work meanwhile."""
        ...

    async def strike(self, stack: Stack) -> None: ...

    def misfired(self, log: str) -> str | None:
        """In words, when nothing went wrong; by what the supervisor said meanwhile."""
        ...


@dataclass
class Kill:
    """SIGKILL; the supervisor starts another process. Its group still misses the dead one then."""

    name: str
    seconds: float = 0.0
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.name} was killed"

    async def strike(self, stack: Stack) -> None:
        self.pid = await eventually(
            lambda: self._running(stack), seconds=READY_SECONDS, what=f"{self.name} running"
        )
        os.kill(self.pid, signal.SIGKILL)

        async def successor() -> bool:
            return await self._running(stack) not in {0, self.pid}

        await eventually(
            successor, seconds=READY_SECONDS, what=f"{self.name} started again", every=0.5
        )
        await asyncio.sleep(BETWEEN_KILLS)

    async def _running(self, stack: Stack) -> int:
        status = await asyncio.to_thread(stack.status)
        return int(next(p for p in status["processes"] if p["name"] == self.name)["pid"] or 0)

    def misfired(self, log: str) -> str | None:
        died = f'"process": "{self.name}", "code": {-signal.SIGKILL}'
        if psutil.pid_exists(self.pid) or died not in log:
            return f"{self.name} {self.pid} was not killed"
        return None


@dataclass
class Outage:
    """A part is stopped for a while, and started again."""

    name: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.name} was away"

    async def strike(self, stack: Stack) -> None:
        await stack.stop(self.name)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            await stack.start(self.name)

    def misfired(self, log: str) -> str | None:
        stopped = f'"verb": "stop", "process": "{self.name}"'
        return None if stopped in log else f"{self.name} was not stopped"


@dataclass
class Drain:
    """SIGTERM, and another process in its place: no fault, and nobody may be the worse for it."""

    name: str
    began: float = field(default=0.0, init=False)
    ended: float = field(default=0.0, init=False)

    async def strike(self, stack: Stack) -> None:
        self.began = time.monotonic()
        await stack.restart(self.name)
        self.ended = time.monotonic()

    def violations(self, log: str, ledger: Ledger) -> list[str]:
        """I10, but for what becomes of the commands, as after any fault."""
        found = []
        if f'"process": "{self.name}", "code": 0, "event": "process_stopped"' not in log:
            found.append(f"I10: {self.name} did not end with code 0 when it was drained")
        if self.name == "gateway":
            found += [
                f"I10: {cut.name} was under way when the gateway was drained, and was cut off"
                for cut in ledger.cuts
                if cut.began < self.began <= cut.ended <= self.ended
            ]
        return found


def supervisor_log(stack: Stack) -> str:
    return (stack.data / "logs" / "supervisor.log").read_text("utf-8")


@dataclass
class Hang:
    """SIGSTOP of a part and of its children, and SIGCONT after a while: hung, not dead."""

    name: str
    seconds: float
    stood_still: bool = False
    named_after: float | None = None
    """Seconds until `qnt9 status` named it, if it did: see `names`."""

    def __str__(self) -> str:
        return f"{self.name} hung"

    async def strike(self, stack: Stack) -> None:
        status = await asyncio.to_thread(stack.status)
        pid = next(p["pid"] for p in status["processes"] if p["name"] == self.name)
        assert pid, f"{self.name} does not run"
        main = psutil.Process(pid)
        stopped = [main, *main.children(recursive=True)]
        try:
            for process in stopped:
                process.suspend()
            began = time.monotonic()
            await self._until_named(stack)
            await asyncio.sleep(max(0.0, began + self.seconds - time.monotonic()))
            self.stood_still = main.status() == psutil.STATUS_STOPPED
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
        await stack.until_ready(self.name, seconds=READY_SECONDS)

    async def _until_named(self, stack: Stack) -> None:
        async def named() -> bool:
            return names(await asyncio.to_thread(stack.status), self.name)

        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            await eventually(named, seconds=self.seconds, every=0.5)
            self.named_after = time.monotonic() - began

    def misfired(self, log: str) -> str | None:
        del log
        return None if self.stood_still else f"{self.name} did not stand still"


SERVERS = {"postgres", "kafka", "valkey"}
"""What the readiness checks of the processes that depend on them have names for."""


def names(status: dict[str, Any], part: str) -> bool:
    """Whether the part is shown as not ready and, if it is a server, a process names it too."""
    of = {each["name"]: each for each in status["processes"]}
    if of[part]["state"] == "ready":
        return False
    return part not in SERVERS or any(
        part in each.get("problems", {}) or part in each.get("details", {}).get("degraded", {})
        for each in of.values()
    )


@dataclass
class FullDisk:
    """Not one byte more fits on the file system of the data folder, or of a part, for a while."""

    seconds: float
    part: str = ""
    """The part's folder in the data folder; empty for all of it."""
    left: int = -1
    """Bytes that were free at the end of it."""

    def __str__(self) -> str:
        return f"the disk of {self.part} was full" if self.part else "the disk was full"

    async def strike(self, stack: Stack) -> None:
        folder = stack.data / self.part
        filler = folder / "filler"
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.seconds
        try:
            while loop.time() < ends:  # what others give back is taken again
                await asyncio.to_thread(fill, filler)
                await asyncio.sleep(0.2)
            await asyncio.to_thread(fill, filler)
            self.left = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        finally:
            filler.unlink(missing_ok=True)
        await until_all_ready(stack)

    def misfired(self, log: str) -> str | None:
        del log
        return None if 0 <= self.left < FEW_BYTES else f"the disk had {self.left} bytes left"


FEW_BYTES = 256 * 1024


def fill(path: Path) -> None:
    """Append until no page is free."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        for size in (1_048_576, 4_096):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


async def until_all_ready(stack: Stack) -> None:
    """Every part has come back by itself."""

    async def ready() -> bool:
        status = await asyncio.to_thread(stack.status)
        return all(part["state"] == "ready" for part in status["processes"])

    await eventually(ready, seconds=2 * READY_SECONDS, what="every part ready", every=0.5)
