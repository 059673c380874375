"""A test run that is killed leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devstack.supervisor.layout import Layout
from devstack.supervisor.records import Records
from tests.support.process_guard import MARK, is_alive
from tests.support.stack import ROOT
from tests.support.waiting import wait_until

TEST = """
import os, pathlib, signal, subprocess, sys
from devstack.supervisor.layout import Layout
from devstack.supervisor.components import Tier
from devstack.supervisor.records import Records
from tests.support.process_guard import watch_folder

WAITS = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [sys.executable, "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"]

def test_it():
    folder = pathlib.Path(os.environ["FOLDER"])
    layout = Layout(folder / "data")
    layout.create()
    watch_folder(layout.root)
    # As a system does it: a group and an environment of its own, and known by its record.
    part = subprocess.Popen(WAITS, start_new_session=True, env={"PATH": os.environ["PATH"]})
    Records(layout).add("part", part.pid, tier=Tier.WORKERS, stop_signal=15)
    started = [part, subprocess.Popen(WAITS), subprocess.Popen(STUBBORN, start_new_session=True)]
    (folder / "pids.new").write_text(" ".join(str(each.pid) for each in started))
    (folder / "pids.new").rename(folder / "pids")
    signal.pause()
"""


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
        wait_until(lambda: (tmp_path / "pids").exists() or run.poll() is not None, seconds=90)
        assert run.returncode is None, run.returncode
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        started = [psutil.Process(pid) for pid in pids]
        assert all(map(is_alive, started))
        end(run)
    wait_until(lambda: not any(map(is_alive, started)), seconds=90)
    assert not Records(Layout(tmp_path / "data")).alive()
