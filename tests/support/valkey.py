"""A real cache server for tests: one a run, with a password, keeping nothing on disk."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.supervisor.valkey import SERVER

EXECUTABLE = os.environ.get("QNT9_TEST_CACHE_SERVER", str(SERVER))
"""Another server to run instead, such as `redis-server`: it must pass the same tests."""

START_SECONDS = 20


@contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """Its url."""
    password, port = secrets.token_hex(), _free_port()
    settings = folder / "valkey.conf"
    settings.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\ndir "{folder}"\n'
    )
    with (
        (folder / "valkey.log").open("wb") as log,
        subprocess.Popen((EXECUTABLE, str(settings)), stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_open(port, process)
            yield f"redis://:{password}@127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the cache server did not start, see valkey.log"
            assert time.monotonic() < deadline, "the cache server does not listen, see valkey.log"
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
