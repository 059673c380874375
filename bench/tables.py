"""The measurements as tables: of a terminal, and of Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.table import Table

from bench.accounting import ByPart
from bench.aims import Aim
from bench.measure import Measurement
from bench.product import NAME
from bench.scenarios import SCENARIOS

COLUMNS = (
    "clients",
    "service",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "CPU-s per 1,000",
    "rate: QNT9 / it",
    "CPU: QNT9 / it",
    "errors",
    "asker's core",
)


@dataclass(frozen=True)
class Sheet:
    """A title, the heads of columns, and rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    grouped: bool = False
    """Rows that begin alike stand together."""

    def to_rich(self) -> Table:
        table = Table(
            title=self.title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False
        )
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if _is_text(self.rows, number) else "right")
        before = ""
        for row in self.rows:
            if self.grouped and before and row[0] != before:
                table.add_section()
            table.add_row(*row)
            before = row[0]
        return table

    def to_markdown(self) -> str:
        rules = ["---" if _is_text(self.rows, n) else "---:" for n in range(len(self.columns))]
        lines = [self.columns, rules, *self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"### {self.title}\n\n{body}\n"


def _is_text(rows: Sequence[Sequence[str]], column: int) -> bool:
    return any(row[column][:1].isalpha() for row in rows)


def comparison(scenario: str, measurements: Iterable[Measurement]) -> Sheet:
    """One kind of request: every service at every number of clients, and QNT9 against each."""
    title = next(s.title for s in SCENARIOS if s.name == scenario)
    mine = [m for m in measurements if m.scenario == scenario]
    ours = {m.clients: m for m in mine if m.system == NAME}
    rows = [_row(m, ours.get(m.clients)) for m in _in_order(mine)]
    return Sheet(title, COLUMNS, rows, grouped=True)


def _in_order(measurements: Iterable[Measurement]) -> list[Measurement]:
    order = (NAME, "equal", "usual", "lean", "lean-2")
    return sorted(measurements, key=lambda m: (m.clients, order.index(m.system)))


def _row(m: Measurement, ours: Measurement | None) -> tuple[str, ...]:
    compared = ours is not None and ours is not m
    return (
        str(m.clients),
        m.system,
        f"{m.per_second:,.0f}",
        f"{m.p50_ms:.1f}",
        f"{m.p99_ms:.1f}",
        f"{m.cpu:.2f}",
        _times(ours.per_second, m.per_second) if compared and ours else "",
        _times(ours.cpu, m.cpu) if compared and ours else "",
        ", ".join(f"{what}: {n}" for what, n in m.errors.items()) or "0",
        f"{m.client_share:.0%}",
    )


def _times(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"


def breakdown(scenario: str, measurements: Iterable[Measurement]) -> Sheet:
    """Where the CPU of one kind of request goes in QNT9, by part, the most first."""
    mine = _in_order(m for m in measurements if m.scenario == scenario and m.system == NAME)
    last = mine[-1].cpu_per_1000
    parts = sorted(last, key=lambda part: -last[part])
    rows = [
        (part, *(f"{m.cpu_per_1000.get(part, 0.0):.3f}" for m in mine))
        for part in parts
        if any(m.cpu_per_1000.get(part, 0.0) >= 0.0005 for m in mine)
    ]
    if any(m.settle_seconds >= 0.01 for m in mine):
        rows.append(("seconds until all is done", *(f"{m.settle_seconds:.2f}" for m in mine)))
    title = f"QNT9's CPU-seconds per 1,000 by part: {scenario}"
    return Sheet(title, ("part", *(f"{m.clients} clients" for m in mine)), rows)


def open_loop(measurements: Sequence[Measurement]) -> Sheet:
    """Latencies at fixed rates, by the share of what each service can do in a closed loop."""
    columns = ("service", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU-s per 1,000", "errors")
    rows = [
        (
            m.system,
            f"{m.rate or 0:,.0f}",
            f"{m.p50_ms:.1f}",
            f"{m.p99_ms:.1f}",
            f"{m.p999_ms:.1f}",
            f"{m.cpu:.2f}",
            ", ".join(f"{what}: {n}" for what, n in m.errors.items()) or "0",
        )
        for m in measurements
    ]
    title = "PUT at 25, 50 and 75 % of capacity, open loop, coordinated omission corrected"
    return Sheet(title, columns, rows, grouped=True)


def idle(used: ByPart, held: ByPart) -> Sheet:
    """What the whole system takes while nobody asks for anything."""
    parts = sorted(held, key=lambda part: -used.get(part, 0.0))
    rows = [("all of it", f"{sum(used.values()) * 1000:.1f}", f"{sum(held.values()):,.0f}")]
    rows += [(part, f"{used.get(part, 0.0) * 1000:.1f}", f"{held[part]:,.0f}") for part in parts]
    return Sheet("QNT9 idle", ("part", "CPU ms per s", "MiB"), rows)


def aims(found: Sequence[Aim]) -> Sheet:
    """Which aims hold."""
    rows = [
        (
            aim.what,
            f"{'at least' if aim.at_least else 'at most'} {aim.bound:g}",
            "not measured" if aim.value is None else f"{aim.value:.3g}",
            {True: "yes", False: "no", None: "-"}[aim.holds],
        )
        for aim in found
    ]
    return Sheet("Aims", ("aim", "bound", "measured", "holds"), rows)


def memory(held: dict[str, dict[str, float]]) -> Sheet:
    """What each service holds after all measurements."""
    rows = [
        (
            name,
            f"{sum(parts.values()):,.0f}",
            ", ".join(f"{part} {mib:,.0f}" for part, mib in _largest_first(parts)),
        )
        for name, parts in held.items()
    ]
    return Sheet(
        "Memory after all of it, MiB (shared pages divided)", ("service", "MiB", "of which"), rows
    )


def _largest_first(parts: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda item: -item[1])
