"""A run: clients under way, and faults one after the other, until enough was asked."""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from tests.chaos.clients import PATIENCE_SECONDS, Client
from tests.chaos.ledger import Ledger
from tests.sizes import size
from tests.stack import Stack, eventually

PROCESSES = (
    "signup",
    "accounts",
    "verification",
    "watchlist",
    "quotes",
    "relay",
    "audit",
    "gateway",
)
CLIENTS = size(10, 80)
BUSY = 3
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

    def misfired(self, stack: Stack) -> str | None:
        """In words, when nothing went wrong."""
        ...


@dataclass
class Kill:
    """SIGKILL; the supervisor starts another process. Its group still misses the dead one then."""

    name: str
    seconds: float = 0.0
    pid: int = 0
    successor: int = 0

    async def strike(self, stack: Stack) -> None:
        self.pid = await asyncio.to_thread(stack.kill, self.name)

        async def successor() -> int:
            status = await asyncio.to_thread(stack.status)
            found = next(p for p in status["processes"] if p["name"] == self.name)
            return int(found["pid"] or 0) if found["pid"] != self.pid else 0

        self.successor = await eventually(
            successor, seconds=READY_SECONDS, what=f"{self.name} started again", every=0.5
        )
        await asyncio.sleep(BETWEEN_KILLS)

    def misfired(self, stack: Stack) -> str | None:
        died = f'"process": "{self.name}", "code": {-signal.SIGKILL}'
        if psutil.pid_exists(self.pid) or died not in supervisor_log(stack):
            return f"{self.name} {self.pid} was not killed"
        return None


@dataclass
class Outage:
    """A part is stopped for a while, and started again."""

    name: str
    seconds: float

    async def strike(self, stack: Stack) -> None:
        await asyncio.to_thread(stack.qnt9, "stop", self.name)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            await asyncio.to_thread(stack.qnt9, "start", self.name)

    def misfired(self, stack: Stack) -> str | None:
        stopped = f'"verb": "stop", "process": "{self.name}"'
        return None if stopped in supervisor_log(stack) else f"{self.name} was not stopped"


@dataclass
class Run:
    """Load and faults on one system, with the ledger that the clients keep."""

    stack: Stack
    commands: int
    faults: Sequence[Fault] = ()
    pause: float = 0.0
    seed: int = 20_261_125
    ledger: Ledger = field(default_factory=Ledger)
    in_flight: list[int] = field(default_factory=list)
    """How many commands were under way when each fault struck."""
    _struck_all: bool = False

    async def play(self) -> None:
        """Returns when every client has heard the end of every command of its own."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(self._lives(random.Random(self.seed + number)))
            tasks.create_task(self._strike_in_turn())

    def more(self) -> bool:
        return len(self.ledger.entries) < self.commands or not self._struck_all

    def misfires(self) -> list[str]:
        """Faults that did nothing, or struck when nothing was under way."""
        idle = [f"{self.faults[n]} in peace" for n, busy in enumerate(self.in_flight) if not busy]
        return idle + [text for fault in self.faults if (text := fault.misfired(self.stack))]

    async def _lives(self, chance: random.Random) -> None:
        """One life after another."""
        patience = PATIENCE_SECONDS + max((fault.seconds for fault in self.faults), default=0)
        while self.more():
            client = Client(self.stack, self.ledger, chance, self.more, patience, self.pause)
            await client.live()

    async def _strike_in_turn(self) -> None:
        for fault in self.faults:
            await eventually(self._busy, seconds=READY_SECONDS, what="load")
            self.in_flight.append(self.ledger.in_flight)
            await fault.strike(self.stack)
        self._struck_all = True

    async def _busy(self) -> bool:
        return self.ledger.in_flight >= BUSY


def supervisor_log(stack: Stack) -> str:
    return (stack.data / "logs" / "supervisor.log").read_text("utf-8")
