"""What a person sees: a live picture on a terminal, plain lines elsewhere, then where to look."""

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from operations.cli.tables import output_width

ANY_LENGTH = 10_000
FIRST = ("kafka", "postgres", "valkey", "migrations", "topics", "inbox", "exchange")
LAST = ("gateway", "web")
COLOURS = {
    "ready": "green",
    "preparing": "cyan",
    "starting": "cyan",
    "restarting": "yellow",
    "unready": "yellow",
    "degraded": "yellow",
    "stopping": "yellow",
    "failed": "red",
}
BUSY = ("preparing", "starting", "restarting", "stopping")

Progress = dict[str, Any]


def ordered(units: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def place(unit: dict[str, Any]) -> tuple[int, str]:
        role = unit["name"].partition("-")[0]
        if role in FIRST:
            return FIRST.index(role), unit["name"]
        return (100 if role in LAST else 50), unit["name"]

    return sorted(units, key=place)


class Picture:
    """Shows progress after progress; knows what it has shown."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spinners: dict[str, Spinner] = {}
        self._displayed: dict[str, tuple[str, str]] = {}
        self._began = time.monotonic()

    def show(self, progress: Progress) -> None:
        units = ordered(progress["units"])
        if self._console.is_terminal:
            self._redraw(units)
        else:
            self._print_changes(units)

    def close(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _redraw(self, units: list[dict[str, Any]]) -> None:
        if not self._live:
            self._live = Live(console=self._console, refresh_per_second=10)
            self._live.start()
        table = Table.grid(padding=(0, 2))
        for unit in units:
            colour = COLOURS.get(unit["state"], "dim")
            seconds = unit["seconds"]
            table.add_row(
                self._mark(unit),
                unit["name"],
                Text(unit["state"], style=colour),
                Text("" if seconds is None else f"{seconds:5.1f} s", style="dim"),
                Text(unit["detail"] or unit.get("where", ""), style="dim", overflow="ellipsis"),
            )
        self._live.update(Group(table))

    def _mark(self, unit: dict[str, Any]) -> Spinner | Text:
        if unit["state"] in BUSY:
            return self._spinners.setdefault(unit["name"], Spinner("dots", style="cyan"))
        marks = {"ready": ("✓", "green"), "failed": ("✗", "red")}
        mark, style = marks.get(unit["state"], ("·", "dim"))
        return Text(mark, style=style)

    def _print_changes(self, units: list[dict[str, Any]]) -> None:
        for unit in units:
            now = (unit["state"], unit["detail"])
            if self._displayed.get(unit["name"]) == now or unit["state"] == "waiting":
                continue
            fetching = unit["state"] == "preparing" and unit["name"] in self._displayed
            self._displayed[unit["name"]] = now
            if fetching:
                continue  # a line for each jar would be too much
            what = unit["detail"]
            if unit["state"] == "ready":
                what = f"in {unit['seconds']:.1f} s  {what or unit.get('where', '')}"
            elapsed = time.monotonic() - self._began
            line = f"{elapsed:6.1f} s  {unit['name']:<14}{unit['state']:<11}{what}"
            self._console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)


def print_banner(console: Console, progress: Progress, data: str, *, attached: bool) -> None:
    there = {unit["name"] for unit in progress["units"]}
    ends = progress["endpoints"]
    rows = [
        ("web", "web", f"{ends['web']['url']}  (open this in a browser)"),
        ("gateway", "gateway", ends["gateway"]["url"]),
        ("gateway", "docs", f"{ends['gateway']['url']}/docs"),
        ("inbox", "inbox", f"{ends['inbox']['url']}  (mail that the system sends)"),
        ("exchange", "exchange", f"{ends['exchange']['url']}  (sandbox quotes)"),
        ("kafka", "kafka", f"{ends['kafka']['bootstrap']}  (credentials: qnt9 status --json)"),
        ("kafka", "data", f"{data}  (logs in {data}/logs)"),
    ]
    console.print()
    if progress["unready"]:
        console.print(Text("QNT9 is up, but not ready:", style="bold yellow"), end=" ")
        console.print(f"{', '.join(progress['unready'])} (see the logs)")
    else:
        seconds = f"after {progress['seconds']:.1f} s"
        console.print(Text("QNT9 is ready", style="bold green"), seconds)
    for part, label, where in rows:
        if part in there:
            _line(console, label, where)
    _line(console, "look", "qnt9 status")
    stop = "Ctrl-C, or qnt9 down elsewhere" if attached else "qnt9 down"
    _line(console, "stop", f"{stop}; what was accepted is kept")


def print_status(console: Console, status: dict[str, Any]) -> None:
    colour = COLOURS.get(status["state"], "bold")
    console.print(Text(status["state"], style=colour), status["data"])
    for process in ordered(status["processes"]):
        state = Text(f"{process['state']:<11}", style=COLOURS.get(process["state"], "dim"))
        pid = "" if process["pid"] is None else str(process["pid"])
        where = process["health_url"] or ""
        console.print(Text(f"  {process['name']:<14}"), state, Text(f"{pid:>8}  {where}"))
        for name, problem in process.get("problems", {}).items():
            _indented(console, f"{name}: {problem}", COLOURS["unready"])
        for provider in process.get("details", {}).get("providers", ()):
            _indented(console, _of_provider(provider), "dim")


def output_console() -> Console:
    """As wide as the terminal, or as COLUMNS says; in a pipe lines may be of any length."""
    width = output_width()
    return Console(highlight=False, width=ANY_LENGTH if width is None else width)


def _indented(console: Console, text: str, style: str) -> None:
    console.print(Padding(Text(text, style=style), (0, 0, 0, 6), expand=False))


def _of_provider(provider: dict[str, Any]) -> str:
    words = f"{provider['name']}: circuit {provider['circuit']}"
    if provider["until"]:
        words += f" until {provider['until']}" + (", as it asked" if provider["limited"] else "")
    if provider["last_error"]:
        words += f"; last error {provider['last_error']} at {provider['last_error_at']}"
    return words


def _line(console: Console, label: str, what: str) -> None:
    console.print(f"  {label:<10} {what}", markup=False, highlight=False, soft_wrap=True)
