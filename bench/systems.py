"""What is measured: where it listens, its processes, and when it has done what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg

from bench.accounting import ByPart, cpu_seconds, memory_mib
from bench.scenarios import Scenario, Settles

HOST = "127.0.0.1"


class Work(Protocol):
    """Asks whether everything that was asked for has been done."""

    async def done(self, what: Settles) -> bool: ...


@dataclass(frozen=True)
class System:
    """One of those that are compared."""

    name: str
    title: str
    ports: tuple[int, ...]
    parts: Mapping[str, int]
    """The process of each part; its descendants belong to it."""
    database: str
    connection: "asyncpg.Connection[asyncpg.Record]" = field(repr=False)
    """The owner's, to set up lists and to look on."""
    work: Work = field(repr=False)
    scenarios: frozenset[str] | None = None
    """What it is asked for; None for everything."""
    idle_of_others: dict[str, float] = field(default_factory=dict)
    """CPU-seconds a second of a part that it shares, which that takes for QNT9 when idle."""

    def takes(self, scenario: Scenario) -> bool:
        return self.scenarios is None or scenario.name in self.scenarios

    def own(self, before: ByPart, after: ByPart, seconds: float) -> ByPart:
        """What it used itself between two looks at its processes."""
        return {
            part: max(
                0.0, used - before.get(part, 0.0) - self.idle_of_others.get(part, 0.0) * seconds
            )
            for part, used in after.items()
        }

    def cpu(self) -> ByPart:
        return cpu_seconds(self.parts, database=self.database)

    def memory(self) -> ByPart:
        return memory_mib(self.parts, database=self.database)
