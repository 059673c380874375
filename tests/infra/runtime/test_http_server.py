import time

import httpx
import pytest
from starlette.applications import Starlette

from infra.runtime.health import Health
from infra.runtime.http_server import http_server


async def test_an_answer_is_not_held_back_until_its_head_is_acknowledged() -> None:
    app = Starlette(routes=Health(started=True).routes())
    async with (
        http_server(app, "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        median = sorted([await _seconds(http) for _ in range(21)])[10]
    assert median < 0.03


async def test_a_port_that_is_taken_is_said_so_at_once() -> None:
    app = Starlette()
    async with http_server(app, "127.0.0.1", 0) as url:
        with pytest.raises(OSError, match="in use"):
            async with http_server(app, "127.0.0.1", httpx.URL(url).port or 0):
                raise AssertionError
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def _seconds(http: httpx.AsyncClient) -> float:
    began = time.perf_counter()
    (await http.get("/health/live")).raise_for_status()
    return time.perf_counter() - began
