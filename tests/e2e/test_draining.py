"""SIGTERM under load: what was begun is finished, what is new goes elsewhere, nothing repeats."""

import asyncio
import json
import signal
from collections import Counter
from itertools import count

import httpx

from tests.support.e2e.outages import counted, is_problem, stopped, until_well
from tests.support.e2e.second_gateway import operations_url, second_gateway
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

EXIT_SECONDS = 20.0


CLIENTS = 8


async def keep_asking(
    url: str, user: User, method: str, seen: Counter[str], asked_to_stop: asyncio.Event
) -> None:
    """One request after another, until we are sent elsewhere or nobody listens any more.

    What began before the process got its signal is answered. Later, the kernel may still take a
    connection that nobody will accept, and reset it.
    """
    path = "/api/v1/watchlist/AAPL" if method == "PUT" else "/api/v1/watchlist"
    async with httpx.AsyncClient(base_url=url, headers=user.headers, timeout=30) as http:
        while True:
            began_late = asked_to_stop.is_set()
            try:
                answer = await http.request(method, path)
            except httpx.ConnectError:
                assert asked_to_stop.is_set()
                return
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if not began_late:
                    raise
                return
            seen[f"{method} {answer.status_code}"] += 1
            if answer.status_code == 503:
                assert asked_to_stop.is_set()
                assert is_problem(answer, "draining"), answer.text
                assert answer.headers["connection"] == "close"
                return
            assert answer.status_code in {200, 201, 202}, answer.text


async def test_a_gateway_that_is_asked_to_stop_finishes_what_it_began(stack: Stack) -> None:
    user = await stack.verified_user()
    seen: Counter[str] = Counter()
    asked_to_stop = asyncio.Event()
    async with (
        second_gateway(stack) as (process, url),
        httpx.AsyncClient(base_url=url, timeout=60) as http,
    ):
        clients = [
            asyncio.create_task(
                keep_asking(url, user, "PUT" if n % 2 else "GET", seen, asked_to_stop)
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
            asked_to_stop.set()
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
    assert set(released) >= {
        "events",
        "access rows",
        "access changes",
        "outcome rows",
        "outcome notifications",
    }
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
        await stack.restart("watchlist")
        await until_well(stack)
        await eventually(busy, what="load on the new process")
    finally:
        stop.set()
        sent = sum(await asyncio.gather(*clients))
    assert stack.pid("watchlist") != before
    assert sent > 100
    again = await counted(stack, "watchlist", "qnt9_records_total", result="duplicate")
    assert again == 0
