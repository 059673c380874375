"""The report: what was measured, on what, and where the time goes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from bench import tables
from bench.accounting import ByPart
from bench.aims import Aim, aims
from bench.measure import Measurement
from bench.product import NAME
from bench.profiling import Profile

WRITES = "put_watchlist"

HEAD = """\
# The system against three plain services

Written by `make bench`; see [bench/README.md](../../bench/README.md) for what is the same in all of
them and what the plain ones do not have. All share one machine with those who ask.

* **qnt9**: the system as `qnt9 up` starts it, one gateway. A PUT is answered when its transaction
  is done; the CPU of what follows, until its event is in the audit log, is counted too.
* **equal**: the leanest service with the system's duties for a PUT: item, audit row, link of the
  hash chain and event in one transaction, and a relay to the same Kafka, in one process.
* **usual**: FastAPI and asyncpg, a transaction a request, one process.
* **lean**, **lean-2**: Starlette, one statement a request, one and two processes.

"rate: QNT9 / it" above 1 and "CPU: QNT9 / it" below 1 speak for the system. CPU is that of all
processes of a service, PostgreSQL and Valkey included.
"""


@dataclass
class Report:
    """One run."""

    command: str
    facts: dict[str, str]
    measurements: Sequence[Measurement]
    memory: dict[str, ByPart] = field(default_factory=dict)
    profiles: dict[str, Profile | str] = field(default_factory=dict)
    took: float = 0.0
    open_loop: list[Measurement] = field(default_factory=list)
    idle_cpu: ByPart = field(default_factory=dict)
    """Of the system, CPU-seconds a second while nobody asks."""
    idle_memory: ByPart = field(default_factory=dict)
    hashes_per_second: float | None = None

    def aims(self) -> list[Aim]:
        """Every aim, with what this run has measured of it."""
        held = self.memory.get(NAME)
        return aims(
            self.measurements,
            hashes_per_second=self.hashes_per_second,
            memory_mib=sum(held.values()) if held else None,
            idle_ms=sum(self.idle_cpu.values()) * 1000 if self.idle_cpu else None,
        )

    @property
    def slowest(self) -> str:
        """The part of QNT9 that takes most of the CPU of a PUT, in a sentence."""
        ours = [m for m in self.measurements if m.system == NAME and m.scenario == WRITES]
        if not ours:
            return ""
        one = min(ours, key=lambda m: abs(m.clients - 64))
        part = max(one.cpu_per_1000, key=lambda name: one.cpu_per_1000[name])
        share = one.cpu_per_1000[part] / one.cpu
        text = (
            f"The slowest part by CPU of a PUT with {one.clients} clients is {part}: "
            f"{one.cpu_per_1000[part]:.2f} of {one.cpu:.2f} CPU-seconds per 1,000, {share:.0%}."
        )
        return " ".join([text, *(_heaviest(*profiled) for profiled in self.profiles.items())])

    def sheets(self) -> list[tables.Sheet]:
        """What comes after the comparisons."""
        written = {m.scenario for m in self.measurements}
        sheets = [tables.breakdown(name, self.measurements) for name in sorted(written)]
        if self.open_loop:
            sheets.append(tables.open_loop(self.open_loop))
        if self.idle_cpu:
            sheets.append(tables.idle(self.idle_cpu, self.idle_memory))
        if self.memory:
            sheets.append(tables.memory(self.memory))
        for part, profile in self.profiles.items():
            if isinstance(profile, Profile) and profile.samples:
                sheets += profile.sheets(f"{part} under PUT, 64 clients")
        return [*sheets, tables.aims(self.aims())]

    def print_rest(self, console: Console) -> None:
        for sheet in self.sheets():
            console.print(sheet.to_rich())
        console.print(self.slowest, markup=False)
        console.print(f"{self.took / 60:.1f} minutes", markup=False)

    def to_markdown(self) -> str:
        facts = self.facts | {"command": f"`{self.command}`", "took": f"{self.took / 60:.1f} min"}
        lines = [HEAD, *(f"* {name}: {value}" for name, value in facts.items()), ""]
        scenarios = dict.fromkeys(m.scenario for m in self.measurements)
        lines += ["## Side by side", ""]
        lines += [tables.comparison(name, self.measurements).to_markdown() for name in scenarios]
        lines += ["## Where the time goes", "", self.slowest, ""]
        lines += [sheet.to_markdown() for sheet in self.sheets()]
        return "\n".join(lines)


def _heaviest(part: str, profile: Profile | str) -> str:
    if isinstance(profile, str):
        return f"No profile of {part}: {profile}."
    if not profile.samples:
        return f"No profile of {part}: it did nothing."
    function, number = profile.own.most_common(1)[0]
    return f"In {part}, {function} takes most by itself, {number / profile.samples:.0%}."
