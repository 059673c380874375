"""A test run that is killed leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devstack.supervisor.layout import Layout
from devstack.supervisor.records import Records
from tests.support.process_guard import MARK, is_alive
from tests.support.stack import ROOT

TEST = """
import os, pathlib, subprocess, sys, time
from devstack.supervisor.layout import Layout
from devstack.supervisor.components import Tier
from devstack.supervisor.records import Records
from tests.support.process_guard import watch_folder

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]

def test_it():
    folder = pathlib.Path(os.environ["FOLDER"])
    layout = Layout(folder / "data")
    layout.create()
    watch_folder(layout.root)
    # As a system does it: a group and an environment of its own, and known by its record.
    part = subprocess.Popen(SLEEPS, start_new_session=True, env={"PATH": os.environ["PATH"]})
    Records(layout).add("part", part.pid, tier=Tier.WORKERS, stop_signal=15)
    started = [part, subprocess.Popen(SLEEPS), subprocess.Popen(STUBBORN, start_new_session=True)]
    (folder / "pids.new").write_text(" ".join(str(each.pid) for each in started))
    (folder / "pids.new").rename(folder / "pids")
    time.sleep(600)
"""


def wait_until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill_group(run: "subprocess.Popen[bytes]") -> None:
    os.killpg(run.pid, signal.SIGKILL)


def kill_it_alone(run: "subprocess.Popen[bytes]") -> None:
    run.kill()


def interrupt(run: "subprocess.Popen[bytes]") -> None:
    run.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("end", "workers"),
    [(kill_group, ()), (kill_it_alone, ("--numprocesses", "1")), (interrupt, ())],
)
def test_killed_test_run_leaves_no_process(
    tmp_path: Path, end: Callable[["subprocess.Popen[bytes]"], None], workers: tuple[str, ...]
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(TEST)
    options = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider")
    with subprocess.Popen(
        (sys.executable, "-m", "pytest", "-q", *options, *workers, str(path)),
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", MARK))}
        | {"FOLDER": str(tmp_path)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        wait_until(lambda: (tmp_path / "pids").exists() or run.poll() is not None)
        assert run.returncode is None, run.returncode
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        started = [psutil.Process(pid) for pid in pids]
        assert all(map(is_alive, started))
        end(run)
    wait_until(lambda: not any(map(is_alive, started)))
    assert not Records(Layout(tmp_path / "data")).alive()
