"""What the system is to cost, and whether it does by the figures of one run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measure import Measurement

SUPABASE_REFRESHES = 583
"""Refreshes a second of Supabase Auth on a machine of this kind."""
MEMORY_MIB = 850
IDLE_MS = 40


@dataclass(frozen=True)
class Aim:
    """A figure and its bound; the figure is None where it was not measured."""

    what: str
    bound: float
    value: float | None
    at_least: bool = True

    @property
    def holds(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Figures:
    """The measurements of one run, by what they are of."""

    measurements: Sequence[Measurement]

    def one(self, scenario: str, clients: int, system: str = "qnt9") -> Measurement | None:
        found = (m for m in self.measurements if m.rate is None)
        matching = (m for m in found if (m.scenario, m.clients) == (scenario, clients))
        return next((m for m in matching if m.system == system), None)

    def ratio(self, scenario: str, clients: int, of: str, system: str) -> float | None:
        """QNT9's figure divided by another's."""
        ours, theirs = self.one(scenario, clients), self.one(scenario, clients, system)
        if ours is None or theirs is None or not getattr(theirs, of):
            return None
        value: float = getattr(ours, of) / getattr(theirs, of)
        return value

    def of(self, scenario: str, clients: int, of: str) -> float | None:
        found = self.one(scenario, clients)
        return getattr(found, of) if found else None


RATIOS: Sequence[tuple[str, int, str, str, float]] = (
    ("put_watchlist", 64, "per_second", "equal", 1.5),
    ("put_watchlist", 64, "cpu", "equal", 0.7),
    ("put_watchlist", 256, "per_second", "equal", 2.5),
    ("put_watchlist", 256, "cpu", "equal", 0.5),
    ("put_watchlist", 256, "p99_ms", "equal", 0.333),
    ("put_watchlist", 64, "per_second", "usual", 2.5),
    ("put_watchlist", 256, "per_second", "usual", 3.0),
    ("put_watchlist", 16, "per_second", "lean", 0.6),
    ("put_watchlist", 64, "per_second", "lean", 0.8),
    ("put_watchlist", 256, "per_second", "lean", 1.5),
    ("put_watchlist", 256, "cpu", "lean", 1.0),
    ("refresh", 64, "per_second", "lean", 0.7),
    ("sign_up", 16, "per_second", "lean", 0.9),
    ("users_me", 64, "per_second", "lean", 0.95),
    ("cached_quote", 64, "per_second", "lean", 1.0),
    ("get_watchlist", 64, "per_second", "lean", 0.95),
)
"""Scenario, clients, figure, the service that it is divided by, and the bound."""
FIGURES: Sequence[tuple[str, int, str, float]] = (
    ("put_watchlist", 1, "p50_ms", 3.0),
    ("put_watchlist", 1, "cpu", 3.5),
    ("refresh", 64, "cpu", 0.7),
    ("refresh", 64, "per_second", 3 * SUPABASE_REFRESHES),
)
_NAMES = {
    "per_second": "requests/s",
    "cpu": "CPU-s per 1,000",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
}


def aims(
    measurements: Iterable[Measurement],
    *,
    hashes_per_second: float | None,
    memory_mib: float | None,
    idle_ms: float | None,
) -> list[Aim]:
    """Every aim, those that were not measured included."""
    figures = Figures(list(measurements))
    found = [
        Aim(
            f"{scenario}, {clients} clients: {_NAMES[of]}, QNT9 / {system}",
            bound,
            figures.ratio(scenario, clients, of, system),
            at_least=of == "per_second",
        )
        for scenario, clients, of, system, bound in RATIOS
    ]
    found += [
        Aim(
            f"{scenario}, {clients} clients: {_NAMES[of]}",
            bound,
            figures.of(scenario, clients, of),
            at_least=of == "per_second",
        )
        for scenario, clients, of, bound in FIGURES
    ]
    for clients in (16, 64):
        rate = figures.of("sign_in", clients, "per_second")
        share = rate / hashes_per_second if rate and hashes_per_second else None
        found.append(Aim(f"sign_in, {clients} clients: of the bare hash rate", 0.9, share))
    found.append(Aim("memory after all of it, MiB", MEMORY_MIB, memory_mib, at_least=False))
    found.append(Aim("idle CPU, ms per s", IDLE_MS, idle_ms, at_least=False))
    return found
