"""`qnt9 up`: the whole system on this machine, watched while it comes up and goes down."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from devstack.supervisor import status as status_of
from devstack.supervisor.jars import JarsRefusedError
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import DEFAULT_PORT_BASE, Options
from devstack.supervisor.ownership import AlreadyRunningError, is_running
from devstack.supervisor.ports import MAX_INSTANCES, SCALABLE
from devstack.supervisor.postgres import PostgresError
from devstack.supervisor.running import supervise, supervise_apart
from devstack.supervisor.supervisor import StartError, Supervisor
from operations.cli.follow import LOOK_EVERY, DidNotComeUpError, show_running, until_ready
from operations.cli.options import data_option, fail
from operations.cli.progress import Picture, print_banner

HIGHEST_BASE = 65_000


class Scale(click.ParamType[tuple[str, int]]):
    """NAME=N."""

    name = "NAME=N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        role, _, number = str(value).partition("=")
        if role not in SCALABLE:
            self.fail(f"{role!r} cannot be scaled; one of {', '.join(SCALABLE)} can", param, ctx)
        if not number.isdigit() or not 1 <= int(number) <= MAX_INSTANCES:
            self.fail(f"N is 1 to {MAX_INSTANCES}", param, ctx)
        return role, int(number)


@click.command(epilog="Example: qnt9 up --detach --scale gateway=2 --port-base 9000")
@data_option
@click.option("--detach", is_flag=True, help="Return when the system is ready; qnt9 down stops it.")
@click.option(
    "--port-base",
    type=click.IntRange(1024, HIGHEST_BASE),
    default=DEFAULT_PORT_BASE,
    show_default=True,
    help="The gateway's port; the others follow from it.",
)
@click.option(
    "--quotes",
    type=click.Choice(["sandbox", "yahoo"]),
    default="sandbox",
    show_default=True,
    help="The source of quotes.",
)
@click.option(
    "--limits",
    type=click.Choice(["strict", "relaxed"]),
    default="relaxed",
    show_default=True,
    help="The numbers of the rate limits.",
)
@click.option("--scale", type=Scale(), multiple=True, help="Run N processes of a role.")
def up(  # noqa: PLR0917 - click passes them by name
    data: Path,
    detach: bool,
    port_base: int,
    quotes: str,
    limits: str,
    scale: tuple[tuple[str, int], ...],
) -> None:
    """Start the whole system on this machine."""
    options = Options(data, port_base, quotes, limits, dict(scale))
    console = Console(highlight=False)
    began = time.time()
    try:
        if is_running(Layout(data)):
            show_running(console, data)
        elif detach:
            _up_apart(console, options)
        else:
            asyncio.run(supervise(options, _watch(console), _announce(console)))
            console.print("QNT9 has stopped")
    except AlreadyRunningError:
        show_running(console, data)
    except (StartError, DidNotComeUpError, JarsRefusedError, PostgresError) as error:
        _explain(console, data, str(error), began)
        raise SystemExit(1) from error
    except OSError as error:
        raise fail(f"{error.strerror}: {error.filename}") from error


def _watch(console: Console) -> Callable[[Supervisor], Any]:
    @asynccontextmanager
    async def watching(supervisor: Supervisor) -> AsyncIterator[None]:
        task = asyncio.create_task(_follow(console, supervisor))
        try:
            yield
        finally:
            await asyncio.wait_for(task, timeout=1)

    return watching


async def _follow(console: Console, supervisor: Supervisor) -> None:
    """Coming up, the banner, and going down: what the foreground shows of a supervisor."""
    data = str(supervisor.options.data)
    picture = Picture(console)
    while supervisor.state == "starting":
        picture.show(status_of.progress(supervisor))
        await asyncio.sleep(LOOK_EVERY)
    picture.show(status_of.progress(supervisor))
    picture.close()
    if supervisor.state == "ready":
        print_banner(console, status_of.progress(supervisor), data, attached=True)
        await supervisor.asked_to_drain()
    console.print("stopping, the gateway first (again to stop at once)")
    picture = Picture(console)
    while supervisor.state != "stopped":
        picture.show(status_of.progress(supervisor))
        await asyncio.sleep(LOOK_EVERY)
    picture.show(status_of.progress(supervisor))
    picture.close()


def _up_apart(console: Console, options: Options) -> None:
    child = supervise_apart(options)
    if not until_ready(console, options.data, child):
        reason = Layout(options.data).log_of("up").read_text("utf-8").strip()
        raise StartError(reason or "the supervisor ended without a word")


def _announce(console: Console) -> Callable[[str], None]:
    return lambda what: console.print(f"{time.strftime('%H:%M:%S')}  {what}")


def _explain(console: Console, data: Path, error: str, began: float) -> None:
    console.print(f"\nQNT9 did not come up: {error}", style="red", markup=False, soft_wrap=True)
    name = error.partition(":")[0]
    log_file = Layout(data).log_of(name)
    if log_file.is_file() and log_file.stat().st_mtime > began:
        console.print(f"the end of {log_file}:", markup=False, soft_wrap=True)
        lines = log_file.read_text("utf-8", errors="replace").splitlines()[-12:]
        console.print("\n".join(f"  {line}" for line in lines), markup=False, soft_wrap=True)
