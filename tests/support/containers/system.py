"""The processes of this checkout on containers: what `qnt9 up` runs, without its servers."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devstack.supervisor.components import Part, parts_of_ours
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.environment import dsn, kafka_settings, of_machine
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from devstack.supervisor.status import endpoints
from tests.support.containers.infrastructure import infrastructure
from tests.support.stack import ROOT, STATUS
from tests.support.waiting import eventually

DRAIN_SECONDS = 30


@contextmanager
def system_on_containers(data: Path, port_base: int) -> Iterator[Path]:
    """Up and ready: the data folder, as `QNT9_TEST_STACK` wants it."""
    layout, ports = Layout(data), Ports(port_base)
    layout.create()
    credentials = load_or_create(layout)
    with infrastructure(credentials, ports, data / "secrets"), ExitStack() as processes:
        _set_up(credentials, ports)
        parts = parts_of_ours(layout, credentials, ports, Options(data, port_base))
        for part in parts:
            processes.enter_context(_running(part, layout))
        for part in parts:
            _wait_for(part)
        status = {"state": "ready", "data": str(data), **endpoints(credentials, ports)}
        (data / STATUS).write_text(json.dumps(status), encoding="utf-8")
        yield data


@contextmanager
def postgres_in_a_container(data: Path, port_base: int) -> Iterator[str]:
    """A server by itself; the dsn of its superuser."""
    layout, ports = Layout(data), Ports(port_base)
    layout.create()
    credentials = load_or_create(layout)
    with infrastructure(credentials, ports, data / "secrets", only="postgres"):
        yield dsn("postgres", credentials, ports, database="postgres")


def _set_up(credentials: Credentials, ports: Ports) -> None:
    """As an installation is made ready anywhere: `qnt9 setup`."""
    passwords = {"postgres": credentials.roles_of_postgres, "kafka": credentials.roles_of_kafka}
    settings = kafka_settings("operator", credentials, ports) | {
        "QNT9_ADMIN_POSTGRES_DSN": dsn("postgres", credentials, ports, database="postgres"),
        "QNT9_POSTGRES_DSN": dsn("qnt9_owner", credentials, ports),
        "QNT9_PASSWORDS": json.dumps(passwords),
    }
    subprocess.run(
        [sys.executable, "-m", "operations.cli", "setup"],
        cwd=ROOT,
        env=os.environ | settings,
        check=True,
    )


@contextmanager
def _running(part: Part, layout: Layout) -> Iterator[None]:
    with (
        layout.log_of(part.name).open("wb") as log,
        subprocess.Popen(
            part.command,
            cwd=layout.run,
            env=of_machine() | {"PYTHONPATH": str(ROOT)} | part.variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(DRAIN_SECONDS)
        assert code == 0, layout.log_of(part.name).read_text("utf-8")


def _wait_for(part: Part) -> None:
    asyncio.run(eventually(part.probe, seconds=part.ready_within, what=f"{part.name} ready"))
