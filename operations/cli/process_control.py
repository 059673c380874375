"""A system that runs: down, status, and its parts one by one."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from devstack.supervisor.control import ACT_SECONDS, NotRunningError, ask
from devstack.supervisor.layout import Layout
from devstack.supervisor.ownership import is_running
from devstack.supervisor.records import Records
from operations.cli.follow import LOOK_EVERY
from operations.cli.options import data_option, fail
from operations.cli.progress import Picture, output_console, print_status

DOWN_WITHIN = 180.0


@click.command(epilog="Example: qnt9 down --data /tmp/trial")
@data_option
def down(data: Path) -> None:
    """Stop the whole system, the gateway first."""
    layout = Layout(data)
    console = Console(highlight=False)
    if not is_running(layout):
        left = Records(layout).end_all() if layout.records.exists() else []
        console.print(f"ended what was left: {', '.join(left)}" if left else "nothing is running")
        return
    with suppress(NotRunningError):
        ask(layout, {"do": "down"})
    began = time.monotonic()
    picture = Picture(console)
    try:
        while is_running(layout):
            if time.monotonic() - began > DOWN_WITHIN:
                raise fail(f"still stopping after {DOWN_WITHIN:.0f} s, see {layout.logs}")
            with suppress(NotRunningError):
                picture.show(ask(layout, {"do": "progress"}))
            time.sleep(LOOK_EVERY)
    finally:
        picture.close()
    console.print(f"QNT9 has stopped after {time.monotonic() - began:.1f} s")


@click.command(epilog="Example: qnt9 status --json | jq .gateway.url")
@data_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for scripts; contains credentials."
)
def status(data: Path, as_json: bool) -> None:
    """Show every process with pid and health, and why one is not ready.

    Exit code 1 when nothing runs, or when a process is not ready or was stopped.
    """
    try:
        answer: dict[str, Any] = ask(Layout(data), {"do": "status"})["status"]
    except NotRunningError:
        answer = {"state": "stopped", "data": str(data), "processes": []}
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        print_status(output_console(), answer)
        if answer["state"] == "stopped" and (left := _left_over(Layout(data))):
            click.echo(f"left over from a supervisor that was killed: {left}")
            click.echo("qnt9 up starts anew, qnt9 down ends them")
    if answer["state"] != "ready":
        raise SystemExit(1)


def _left_over(layout: Layout) -> str:
    alive = Records(layout).alive() if layout.records.exists() else {}
    return ", ".join(f"{name} ({pid})" for name, pid in alive.items())


def _verb(verb: str, text: str) -> click.Command:
    @click.command(verb, help=text, epilog=f"Example: qnt9 {verb} watchlist")
    @data_option
    @click.argument("name")
    def command(data: Path, name: str) -> None:
        try:
            answer = ask(Layout(data), {"do": verb, "name": name}, ACT_SECONDS)
        except NotRunningError as error:
            raise fail("nothing is running; qnt9 up starts it") from error
        if answer.get("unknown"):
            raise click.UsageError(f"no part {name!r}; there are {', '.join(answer['names'])}")
        if not answer["ok"]:
            raise fail(answer["error"])
        pid = f", pid {answer['pid']}" if answer["pid"] else ""
        click.echo(f"{name} is {answer['state']}{pid}")

    return command


stop = _verb("stop", "Stop one process or server; it stays stopped until you start it.")
start = _verb("start", "Start one process or server and wait until it is ready.")
restart = _verb("restart", "Stop one process or server gracefully and start it again.")
