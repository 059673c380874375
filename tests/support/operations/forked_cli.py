"""`python -m tests.support.operations.forked_cli`: many runs of the command line, one start.

Reads runs as JSON from stdin, forks for each of them after everything is imported, and prints what
became of each. A run has its own output, which may be a pipe that nobody reads or a full disk.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from tests.support.stack import ROOT

SECONDS = 240


@dataclass(frozen=True)
class Run:
    """One call of the command line. `output` is `kept`, `unread` (a broken pipe) or `full`."""

    words: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    output: str = "kept"


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float


def ended(runs: Sequence[Run]) -> list[Ended]:
    """All at once, in forks of one process."""
    done = subprocess.run(
        (sys.executable, "-m", "tests.support.operations.forked_cli"),
        input=json.dumps([asdict(run) for run in runs]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
        check=True,
    )
    return [Ended(**{**each, "words": tuple(each["words"])}) for each in json.loads(done.stdout)]


def main() -> None:
    runs = [Run(tuple(each.pop("words")), **each) for each in json.load(sys.stdin)]
    _import_everything()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        children = {_start(run, Path(folder) / str(n)): n for n, run in enumerate(runs)}
        found: dict[int, Ended] = {}
        while children:
            pid, status = os.wait()
            if (number := children.pop(pid, None)) is None:
                continue
            path = Path(folder) / str(number)
            found[number] = Ended(
                runs[number].words,
                os.waitstatus_to_exitcode(status),
                path.with_suffix(".out").read_text("utf-8", "replace"),
                path.with_suffix(".err").read_text("utf-8", "replace"),
                time.monotonic() - began,
            )
    json.dump([asdict(found[number]) for number in sorted(found)], sys.stdout)


def _import_everything() -> None:
    from operations.cli import COMMANDS  # noqa: PLC0415  # in the child alone

    for name in set(COMMANDS.values()):
        import_module(f"operations.cli.{name}")


def _start(run: Run, path: Path) -> int:
    pid = os.fork()
    if not pid:
        signal.alarm(SECONDS)
        _redirect(run, path)
        os.environ.update(run.env)
        _call(run)
    return pid


def _redirect(run: Run, path: Path) -> None:
    out = os.open(path.with_suffix(".out"), os.O_CREAT | os.O_RDWR)
    err = os.open(path.with_suffix(".err"), os.O_CREAT | os.O_RDWR)
    if run.output == "unread":
        reading, out = os.pipe()
        os.close(reading)
    elif run.output == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    for number, handle in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, err)):
        os.dup2(handle, number)


def _call(run: Run) -> NoReturn:
    from operations.cli import main as program  # noqa: PLC0415

    sys.argv = ["qnt9", *run.words]
    code: object = 1
    try:
        program(prog_name="qnt9")
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001  # as the interpreter does it
        sys.excepthook(*sys.exc_info())
    try:
        sys.stdout.flush()
    except OSError:
        code = 120
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main()
