"""A run: clients under way, and rounds of one fault and one check, until enough was asked."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.chaos.checker_thread import CheckerThread, entered_checker_thread
from tests.support.chaos.checks import Checks, checking
from tests.support.chaos.clients import WAIT_SECONDS, Client
from tests.support.chaos.faults import READY_SECONDS, Drain, Fault, supervisor_log
from tests.support.chaos.ledger import Ledger
from tests.support.sizes import size
from tests.support.stack import Stack
from tests.support.waiting import eventually

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


@dataclass
class Run:
    """Load and faults on one system, with the ledger that the clients keep.

    A killed process is missed by its group for ten seconds, in which nothing of its partitions
    comes to rest: `overlapping` checks may still wait for that when the next fault strikes.
    """

    stack: Stack
    commands: int
    faults: Sequence[Fault] = ()
    drains: Sequence[Drain] = ()
    """One for each fault, at the same time; or none."""
    overlapping: int = 0
    pause: float = 0.0
    seed: int = 20_261_125
    ledger: Ledger = field(default_factory=Ledger)
    violations: list[str] = field(default_factory=list)
    """What did not hold, with the fault after which it was found. The first one ends the run."""
    misfires: list[str] = field(default_factory=list)
    """Faults that did nothing, or struck when nothing was under way."""
    checks: int = 0
    check_seconds: float = 0.0
    _struck_all: bool = False

    async def play(self) -> None:
        """Returns when every client has heard the end of every command of its own."""
        there = checking(self.stack, self.ledger)
        async with entered_checker_thread(there) as (checks, in_checker_thread):
            self.violations = checks.found
            async with asyncio.TaskGroup() as tasks:
                for number in range(CLIENTS):
                    tasks.create_task(self._lives(random.Random(self.seed + number)))
                tasks.create_task(self._strike_in_turn(checks, in_checker_thread))
            await in_checker_thread(checks.after("everything", self.ledger.take()))
            await in_checker_thread(checks.of_everything())
            self.checks, self.check_seconds = checks.made, sum(checks.seconds) / checks.made

    def more(self) -> bool:
        enough = len(self.ledger.entries) >= self.commands and self._struck_all
        return not enough and not self.violations

    def figures(self) -> dict[str, object]:
        """For people."""
        return self.ledger.figures() | {
            "faults": len(self.faults),
            "processes drained meanwhile": len(self.drains),
            "times the invariants were checked": self.checks,
            "seconds of a check, after rest": f"{self.check_seconds:.1f}",
        }

    async def _lives(self, chance: random.Random) -> None:
        """One life after another."""
        timeout = WAIT_SECONDS + max((fault.seconds for fault in self.faults), default=0)
        while self.more():
            client = Client(self.stack, self.ledger, chance, self.more, timeout, self.pause)
            await client.live()

    async def _strike_in_turn(self, checks: Checks, in_checker_thread: CheckerThread) -> None:
        waiting: set[asyncio.Future[None]] = set()
        for number, fault in enumerate(self.faults):
            if self.violations:
                break
            await self._until_asked(self.commands * number // len(self.faults))
            drained = await self._strike(number, fault)
            closed = self.ledger.take()
            waiting.add(in_checker_thread(checks.after(f"{number + 1}: {fault}", closed, drained)))
            while len(waiting) > self.overlapping:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for check in done:
                    check.result()
        self._struck_all = True
        await asyncio.gather(*waiting)

    async def _strike(self, number: int, fault: Fault) -> list[str]:
        """The fault, and the drain beside it, of which what does not hold is returned."""
        if not self.ledger.in_flight:
            self.misfires.append(f"{fault} in peace")
        before = len(supervisor_log(self.stack))
        drain = self.drains[number] if self.drains else None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fault.strike(self.stack))
            if drain:
                tasks.create_task(drain.strike(self.stack))
        said = supervisor_log(self.stack)[before:]
        if misfire := fault.misfired(said):
            self.misfires.append(misfire)
        return drain.violations(said, self.ledger) if drain else []

    async def _until_asked(self, commands: int) -> None:
        """So many by now, so that each fault has its share of the load, and some under way."""

        async def under_load() -> bool:
            return self.ledger.in_flight >= BUSY and len(self.ledger.entries) >= commands

        await eventually(under_load, seconds=READY_SECONDS, what="load")
