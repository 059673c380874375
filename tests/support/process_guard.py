"""Ends what a test run has started when the run ends, also when it was killed.

The guard is a process of its own. It reads its standard input, which only the test run holds open,
and acts at its end. What the run starts inherits a mark in its environment, by which it is found;
a system started with `qnt9 up` is named by its data folder, one a line.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, ClassVar

import psutil

MARK = "QNT9_TEST_RUN"
"""A variable whose value stands for one test run (with several workers: for one of them)."""
GRACE_SECONDS = 5.0
DOWN_SECONDS = 90.0
_ROOT = Path(__file__).parents[2]


class Guard:
    """Holds the guard's input open for as long as this process lives."""

    running: "ClassVar[Guard | None]" = None

    def __init__(self) -> None:
        Guard.running = self
        os.environ[MARK] = secrets.token_hex(16)
        self._process = subprocess.Popen(
            (sys.executable, "-m", "tests.support.process_guard", os.environ[MARK]),
            cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if name != MARK},
            stdin=subprocess.PIPE,
            start_new_session=True,  # whoever kills the run's process group does not reach it
        )

    def watch(self, data: Path) -> None:
        """A system runs in this data folder; it is taken down in the end, if it still runs."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{data}\n".encode())
            self._process.stdin.flush()

    def end(self) -> None:
        """The run is over; returns when all that was left has ended."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def watch_folder(data: Path) -> None:
    """A system is about to be started in this data folder: it ends with this test run."""
    if Guard.running:
        Guard.running.watch(data)


def end_all(mark: str, folders: list[Path]) -> None:
    """Systems are taken down in order; whatever else has the mark is asked, and then killed."""
    deadline = time.monotonic() + DOWN_SECONDS
    for folder in folders:
        while not _is_down(folder) and time.monotonic() < deadline:
            time.sleep(0.5)
    marked = _marked(mark)
    for process in marked:
        _send(process, signal.SIGCONT)
        _send(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(is_alive, marked)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in filter(is_alive, marked):
        _send(process, signal.SIGKILL)


def _is_down(folder: Path) -> bool:
    """Take it down. False while it cannot be, since it is still coming up."""
    if not folder.exists():
        return True
    try:
        done = subprocess.run(
            (sys.executable, "-m", "operations.cli", "down", "--data", str(folder)),
            cwd=_ROOT,
            capture_output=True,
            check=False,
            timeout=DOWN_SECONDS / 3,
        )
    except subprocess.TimeoutExpired:
        return False
    return not done.returncode


def is_alive(process: psutil.Process) -> bool:
    """Whether it still does something. In a container nobody may collect what has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _marked(mark: str) -> list[psutil.Process]:
    """Those with the mark, and what they have started, but for us."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found |= {each.pid: each for each in (process, *process.children(recursive=True))}
    found.pop(os.getpid(), None)
    return list(found.values())


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def main(mark: str, lines: IO[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the run, not before
    end_all(mark, list(dict.fromkeys(Path(line.rstrip("\n")) for line in lines)))


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin)
