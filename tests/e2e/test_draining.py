"""SIGTERM under load: what was begun is finished, what is new goes elsewhere, nothing repeats."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx

from devstack.supervisor import environment
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from devstack.supervisor.options import Options
from devstack.supervisor.ports import Ports
from tests.e2e.outages import counted, is_problem, stopped, until_well
from tests.stack import ROOT, Stack, User, eventually

EXIT_SECONDS = 20.0
CLIENTS = 8


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


async def keep_asking(
    url: str, user: User, method: str, seen: Counter[str], told_to_stop: asyncio.Event
) -> None:
    """One request after another, until we are sent elsewhere or nobody listens any more.

    What began before the process was told to stop is answered. Later, the kernel may still take a
    connection that nobody will accept, and reset it.
    """
    path = "/api/v1/watchlist/AAPL" if method == "PUT" else "/api/v1/watchlist"
    async with httpx.AsyncClient(base_url=url, headers=user.headers, timeout=30) as http:
        while True:
            began_late = told_to_stop.is_set()
            try:
                answer = await http.request(method, path)
            except httpx.ConnectError:
                assert told_to_stop.is_set()
                return
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if not began_late:
                    raise
                return
            seen[f"{method} {answer.status_code}"] += 1
            if answer.status_code == 503:
                assert told_to_stop.is_set()
                assert is_problem(answer, "draining"), answer.text
                assert answer.headers["connection"] == "close"
                return
            assert answer.status_code in {200, 201, 202}, answer.text


async def test_a_gateway_that_is_told_to_stop_finishes_what_it_began(stack: Stack) -> None:
    user = await stack.verified_user()
    seen: Counter[str] = Counter()
    told_to_stop = asyncio.Event()
    async with second_gateway(stack) as (process, url), httpx.AsyncClient(base_url=url) as http:
        clients = [
            asyncio.create_task(
                keep_asking(url, user, "PUT" if n % 2 else "GET", seen, told_to_stop)
            )
            for n in range(CLIENTS)
        ]

        async def under_load() -> bool:
            return min(seen["PUT 200"], seen["GET 200"]) > CLIENTS

        async def all_puts_wait() -> bool:
            metrics = (await http.get(operations_url(url, 2).copy_with(path="/metrics"))).text
            return f"qnt9_gateway_pending {CLIENTS // 2}.0" in metrics

        await eventually(under_load, what="load")
        async with stopped(stack, "watchlist"):
            await eventually(all_puts_wait, what="requests in flight")
            told_to_stop.set()
            process.send_signal(signal.SIGTERM)
            asked = asyncio.get_running_loop().time()

            async def draining() -> bool:
                return (await http.get("/health/ready")).status_code == 503

            await eventually(draining, what="draining")
            assert (await http.get("/health/live")).status_code == 200
            assert is_problem(await http.get("/api/v1/watchlist"), "draining")
            output, _ = await process.communicate()
            assert asyncio.get_running_loop().time() - asked < EXIT_SECONDS
            await asyncio.gather(*clients)
    assert process.returncode == 0, output.decode()
    assert seen["PUT 202"] >= CLIENTS // 2
    assert seen["GET 503"] == CLIENTS // 2
    lines = [json.loads(line) for line in output.splitlines()]
    released = [line["resource"] for line in lines if line["event"] == "releasing"]
    assert released[0] == "requests"
    assert set(released) >= {"events", "access rows", "access changes", "outcome rows", "wakeups"}
    assert lines[-1]["event"] == "process_stopped"


async def test_what_a_worker_finished_before_it_stopped_is_not_delivered_again(
    stack: Stack,
) -> None:
    users = [await stack.verified_user() for _ in range(3)]
    before = stack.pid("watchlist")
    stop = asyncio.Event()

    async def change(user: User) -> int:
        async with stack.http(headers=user.headers) as http:
            for number in count():
                body = {"note": f"change {number}"}
                answer = await http.put("/api/v1/watchlist/AAPL", json=body)
                assert answer.status_code in {200, 201, 202}, answer.text
                if stop.is_set():
                    return number + 1
        raise AssertionError

    clients = [asyncio.create_task(change(user)) for user in users for _ in range(3)]
    try:

        async def busy() -> bool:
            return await counted(stack, "watchlist", "qnt9_records_total", result="handled") > 50

        await eventually(busy, what="load")
        await asyncio.to_thread(stack.qnt9, "restart", "watchlist")
        await until_well(stack)
        await eventually(busy, what="load on the new process")
    finally:
        stop.set()
        sent = sum(await asyncio.gather(*clients))
    assert stack.pid("watchlist") != before
    assert sent > 100
    again = await counted(stack, "watchlist", "qnt9_records_total", result="duplicate")
    assert again == 0
