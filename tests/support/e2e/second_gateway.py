"""A second gateway process beside the one of the running system."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from devstack.supervisor import environment
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually


@asynccontextmanager
async def second_gateway(
    stack: Stack, number: int = 2, *, source: Path = ROOT, health: str = "/health/ready"
) -> AsyncIterator[tuple[Process, str]]:
    """A gateway of our own beside the supervised one, so that its exit can be seen.

    It is there once `health` is answered with 200.
    """
    base = httpx.URL(stack.urls["gateway"]["url"]).port
    assert base is not None
    ports, layout = Ports(base), Layout(stack.data)
    port = ports.gateway(number)
    settings = environment.of_role(
        "gateway", load_or_create(layout), ports, Options(data=stack.data, port_base=base)
    )
    settings |= {
        "QNT9_INSTANCE": f"gateway-{number}",
        "QNT9_HTTP_PORT": str(port),
        "QNT9_HEALTH_PORT": str(ports.health("gateway", number)),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "gateway"),
        env=environment.of_machine() | settings | {"PYTHONPATH": str(source)},
        cwd=layout.run,
        stdout=PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url) as http:

            async def ready() -> bool:
                try:
                    return (await http.get(health)).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready, seconds=120, what="a second gateway")
        yield process, url
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
            await process.communicate()


def operations_url(url: str, number: int) -> httpx.URL:
    """Where a second gateway tells operators what it does not tell clients."""
    port = httpx.URL(url).port
    assert port is not None
    return httpx.URL(url).copy_with(port=Ports(port - number + 1).health("gateway", number))
