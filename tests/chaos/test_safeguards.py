"""Safeguards against full disks and hangs taken out in turn: their own tests must notice."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.mutation import (
    GIVES_UP_A_PART,
    HUNG_SERVERS_NOT_REMEMBERED,
    LEASES_WITHOUT_END,
    LOG_LINES_THAT_RAISE,
    Cut,
    mutated,
)
from tests.sizes import size
from tests.stack import ROOT

CASES = (
    (GIVES_UP_A_PART, "tests/infra/embedded/test_process.py"),
    (LOG_LINES_THAT_RAISE, "tests/infra/test_log_output.py"),
    (HUNG_SERVERS_NOT_REMEMBERED, "tests/infra/test_dependencies.py"),
    (LEASES_WITHOUT_END, "tests/workers/relay/test_leases.py"),
)


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("cuts", "path"), size(CASES[:1], CASES))
def test_safeguard_taken_out_is_noticed(tmp_path: Path, cuts: tuple[Cut, ...], path: str) -> None:
    folder = mutated(tmp_path / "source", cuts)
    shutil.copytree(ROOT / "tests", folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", path),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-2_000:]
