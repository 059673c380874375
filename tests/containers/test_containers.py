"""The tests that need servers, on the images that compose.yaml names instead of our own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers.engine import why_not
from tests.support.containers.system import postgres_in_a_container, system_on_containers
from tests.support.postgres import OUTSIDE
from tests.support.stack import EXTERNAL, PORT_BASE, ROOT

PORTS = PORT_BASE + 200
"""Beside the system of the other tests, which may be up."""
WITH_A_DATABASE = ("tests/infra/postgres", "tests/workers/watchlist", "tests/workers/relay")
WITH_THE_SYSTEM = (
    "tests/e2e/test_journey.py",
    "tests/e2e/test_gateway.py",
    "tests/e2e/test_permissions.py",
    "tests/e2e/test_bad_records.py",
)
SECONDS = 900


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for what containers are given, where there is an engine that can run them."""
    if reason := why_not():
        pytest.skip(reason)
    return tmp_path / "data"


def run(paths: tuple[str, ...], **settings: str) -> str:
    """Those tests in a process of their own; the last line that they print."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stdout.write(done.stdout)
    return done.stdout.splitlines()[-1]


@pytest.mark.timeout(SECONDS)
def test_what_needs_a_database_passes_on_the_image_of_postgres(data: Path) -> None:
    with postgres_in_a_container(data, PORTS) as superuser:
        assert " passed" in run(WITH_A_DATABASE, **{OUTSIDE: superuser})


@pytest.mark.timeout(SECONDS)
def test_what_needs_the_system_passes_on_kafka_postgres_and_redis_in_containers(
    data: Path,
) -> None:
    with system_on_containers(data, PORTS):
        assert " passed" in run(WITH_THE_SYSTEM, **{EXTERNAL: str(data)})
