"""`qnt9 quotes`: the providers of quotes, for operators."""

import os
import subprocess
import sys
from pathlib import Path

import click

from devstack.supervisor.control import NotRunningError, ask
from devstack.supervisor.environment import YAHOO
from devstack.supervisor.layout import Layout
from operations.cli.options import data_option, fail

URL = "QNT9_YAHOO_URL"
SOURCE = "QNT9_QUOTES_SOURCE"
DOCTOR_SECONDS = 300.0
"""Ten calls, each of which has a time-out of its own."""


@click.group(epilog="Example: qnt9 quotes doctor")
def quotes() -> None:
    """The source of quotes."""


@quotes.command(epilog="Example: qnt9 quotes doctor --url https://quotes.example.com")
@data_option
@click.option("--url", help=f"The host to ask, instead of {URL}'s.")
def doctor(data: Path, url: str | None) -> None:
    """Compare a provider's answers with what the adapter expects.

    Uses QNT9_YAHOO_URL and the QNT9_QUOTES_ settings of a second provider, else the system of
    --data. Ten calls; exit code 1 when something differs.
    """
    environment = dict(os.environ)
    if url or URL in environment:
        environment[URL] = url or environment[URL]
        environment.setdefault(SOURCE, "yahoo")
    else:
        environment |= _of_running(data)
    # The slice is a program of its own: nothing here imports it.
    done = subprocess.run(
        (sys.executable, "-P", "-m", "workers.quotes.doctor"),
        env=environment,
        check=False,
        timeout=DOCTOR_SECONDS,
    )
    if done.returncode:
        raise SystemExit(done.returncode)


def _of_running(data: Path) -> dict[str, str]:
    try:
        running = ask(Layout(data), {"do": "status"})["status"]
    except NotRunningError as error:
        raise fail(f"{URL} is not set and nothing runs in {data}") from error
    if any(process["name"] == "exchange" for process in running["processes"]):
        return {URL: running["exchange"]["url"], SOURCE: "sandbox"}
    return {URL: YAHOO, SOURCE: "yahoo"}
