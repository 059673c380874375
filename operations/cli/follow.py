"""Following a supervisor that is another process, through its control socket."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from devstack.supervisor.control import NotRunningError, ask
from devstack.supervisor.layout import Layout
from devstack.supervisor.ownership import is_running
from operations.cli.progress import Picture, print_banner

LOOK_EVERY = 0.1


class DidNotComeUpError(Exception):
    """It ended before it was ready."""


def show_running(console: Console, data: Path) -> None:
    console.print("QNT9 already runs in this data folder")
    if not until_ready(console, data, None):
        raise DidNotComeUpError("it ended before it was ready")


def until_ready(console: Console, data: Path, child: "subprocess.Popen[bytes] | None") -> bool:
    """Follows another process's supervisor; True when it is ready, False when it is gone.

    Exits with 1 when it is up and something in it is not ready.
    """
    layout = Layout(data)
    picture = Picture(console)
    try:
        while child.poll() is None if child else is_running(layout):
            with suppress(NotRunningError):
                progress = ask(layout, {"do": "progress"})
                if progress["state"] == "starting" or child:
                    picture.show(progress)
                if progress["state"] == "ready":
                    picture.close()
                    print_banner(console, progress, str(data), attached=False)
                    if progress["unready"]:
                        raise SystemExit(1)
                    return True
            time.sleep(LOOK_EVERY)
    finally:
        picture.close()
    return False
