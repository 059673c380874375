"""A run: clients under way, processes killed in turn, until enough was asked and every one died."""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from tests.chaos.clients import Client
from tests.chaos.ledger import Ledger
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
CLIENTS = 10
BUSY = 3
READY_SECONDS = 90.0


@dataclass(frozen=True)
class Kill:
    """A process that was killed while commands were in flight, and the one that took its place."""

    name: str
    pid: int
    successor: int
    in_flight: int


@dataclass
class Run:
    """Load and faults on one system, with the ledger that the clients keep."""

    stack: Stack
    commands: int
    victims: Sequence[str] = ()
    seed: int = 20_261_125
    ledger: Ledger = field(default_factory=Ledger)
    kills: list[Kill] = field(default_factory=list)
    _killed_all: bool = False

    async def play(self) -> None:
        """Returns when every client has heard the end of every command of its own."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(CLIENTS):
                tasks.create_task(self._lives(random.Random(self.seed + number)))
            tasks.create_task(self._kill_in_turn())

    def more(self) -> bool:
        return len(self.ledger.entries) < self.commands or not self._killed_all

    async def _lives(self, chance: random.Random) -> None:
        """One life after another."""
        while self.more():
            await Client(self.stack, self.ledger, chance, self.more).live()

    async def _kill_in_turn(self) -> None:
        for name in self.victims:
            await eventually(self._busy, seconds=READY_SECONDS, what="load")
            in_flight = self.ledger.in_flight
            pid = await asyncio.to_thread(self.stack.kill, name)
            successor = await eventually(
                lambda name=name, pid=pid: self._successor(name, pid),  # type: ignore[misc]
                seconds=READY_SECONDS,
                what=f"{name} back",
            )
            self.kills.append(Kill(name, pid, successor, in_flight))
        self._killed_all = True

    async def _busy(self) -> bool:
        return self.ledger.in_flight >= BUSY

    async def _successor(self, name: str, pid: int) -> int:
        """The process that runs and is ready instead of a killed one; 0 while there is none."""
        status = await asyncio.to_thread(self.stack.status)
        found = next(p for p in status["processes"] if p["name"] == name)
        return int(found["pid"] or 0) if found["state"] == "ready" and found["pid"] != pid else 0

    def misfires(self) -> list[str]:
        """Kills that killed nothing."""
        log = (self.stack.data / "logs" / "supervisor.log").read_text("utf-8")
        died = f'"code": {-signal.SIGKILL}'
        return [
            f"{kill.name} {kill.pid}"
            for kill in self.kills
            if psutil.pid_exists(kill.pid) or not kill.in_flight or died not in log
        ]
