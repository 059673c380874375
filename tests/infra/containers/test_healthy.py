"""The health check of a container."""

import asyncio
import socket

from starlette.applications import Starlette

from infra.containers.healthy import problem
from infra.runtime.health import Health
from infra.runtime.http_server import http_server


async def asked(health: Health, path: str) -> str | None:
    async with http_server(Starlette(routes=health.routes()), "127.0.0.1", 0) as url:
        return await asyncio.to_thread(problem, path, int(url.rpartition(":")[2]))


async def test_a_process_that_is_ready_is_healthy() -> None:
    assert await asked(Health(started=True), "ready") is None


async def test_a_process_that_is_not_ready_says_why() -> None:
    found = await asked(Health(started=True, ready={"kafka": lambda: "away"}), "ready")
    assert found is not None
    assert '"kafka":"away"' in found


async def test_a_process_that_drains_is_alive() -> None:
    assert await asked(Health(ready={"process": lambda: "draining"}), "live") is None


def test_a_process_that_is_not_there_is_not_healthy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert problem("live", taken.getsockname()[1]) == "Connection refused"
