"""`python -m bench`, which is `make bench`."""

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from bench.product import ROOT, BenchError
from bench.run import CLIENTS, PROFILED, BenchOptions, run
from bench.scenarios import SCENARIOS

REPORT = ROOT / "docs" / "evidence" / "bench.md"


@click.command(epilog='Example: make bench ARGS="--only put_watchlist --clients 64 --seconds 5"')
@click.option(
    "--only",
    type=click.Choice([s.name for s in SCENARIOS]),
    multiple=True,
    help="This kind of request only; may be repeated.",
)
@click.option(
    "--clients",
    type=click.IntRange(1, 2_000),
    multiple=True,
    help=f"So many at once; may be repeated. {', '.join(map(str, CLIENTS))} by default.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 60),
    default=3.0,
    show_default=True,
    help="Length of each measurement.",
)
@click.option(
    "--profile",
    type=click.Choice([*PROFILED, "nothing"]),
    multiple=True,
    default=["gateway"],
    help="Profile this part under PUT at the end; may be repeated. The gateway by default.",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 65_000),
    default=int(os.environ.get("QNT9_TEST_PORT_BASE", "26000")),
    show_default=True,
    help="Ports are counted from here.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the report goes. Of a complete run: docs/evidence/bench.md.",
)
def main(  # noqa: PLR0917 - click passes them by name
    only: tuple[str, ...],
    clients: tuple[int, ...],
    seconds: float,
    profile: tuple[str, ...],
    port_base: int,
    output: Path | None,
) -> None:
    """Measure the system against three plain services in one run, and say which aims hold."""
    arguments = " ".join(sys.argv[1:])
    command = f"make bench ARGS={shlex.quote(arguments)}" if arguments else "make bench"
    options = BenchOptions(
        scenarios=tuple(s for s in SCENARIOS if not only or s.name in only),
        clients=clients or CLIENTS,
        seconds=seconds,
        profile=tuple(part for part in profile if part != "nothing"),
        port_base=port_base,
        command=command,
    )
    report = output or (None if only or clients else REPORT)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    try:
        text = asyncio.run(_stoppable(options, console))
    except (BenchError, asyncio.CancelledError, KeyboardInterrupt) as error:
        console.print(str(error) or "stopped", style="red", markup=False)
        raise SystemExit(1) from error
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text, encoding="utf-8")
        console.print(f"written to {report}", markup=False, soft_wrap=True)


async def _stoppable(options: BenchOptions, console: Console) -> str:
    """Ctrl-C and SIGTERM stop everything that was started, in order."""
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await run(options, console)


if __name__ == "__main__":
    main()
