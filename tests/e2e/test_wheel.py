"""`uvx --from <wheel> qnt9 up` starts the system in an empty folder, without a checkout."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from operations.release.artefacts import build_wheel
from tests.support.process_guard import watch_folder
from tests.support.run_report import note_started
from tests.support.stack import PORT_BASE, ROOT

BASE = PORT_BASE + 800
SECONDS = 300
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `qnt9` of the wheel in an empty folder, with nothing of this checkout in reach."""
    wheel = build_wheel(ROOT, tmp_path_factory.mktemp("dist"))
    folder = tmp_path_factory.mktemp("empty")
    watch_folder(folder / ".qnt9")
    note_started(folder)
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "QNT9_DATA"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    uvx = (
        *(str(Path(sys.executable).with_name("uv")), "tool", "run", "--python", sys.executable),
        *("--from", f"{wheel}[embedded]", "qnt9"),
    )

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (*uvx, *arguments),
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def gateway(run: Run) -> Iterator[str]:
    """The URL of the gateway of a system that the wheel started."""
    started = run("up", "--detach", "--port-base", str(BASE))
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        status = json.loads(run("status", "--json").stdout)
        yield status["gateway"]["url"]
    finally:
        stopped = run("down")
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr


@pytest.mark.timeout(2 * SECONDS)
def test_wheel_in_an_empty_folder_starts_a_system_that_answers(gateway: str) -> None:
    assert httpx.get(f"{gateway}/health/ready", timeout=30).status_code == 200
    search = httpx.get(f"{gateway}/openapi.json", timeout=30)
    assert search.json()["paths"]
