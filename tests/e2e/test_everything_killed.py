"""`kill -9` of every process at once, the supervisor's too: started again, it goes on."""

import asyncio
import os
import signal

import httpx
import psutil

from tests.support.e2e.outages import symbols, until_settled, until_well
from tests.support.stack import Stack


def kill_everything(stack: Stack) -> set[int]:
    """The supervisor first, so that it starts nothing again."""
    pids = {p["pid"] for p in stack.status()["processes"] if p["pid"]}
    supervisors = {psutil.Process(pid).ppid() for pid in pids} - {1}
    for pid in [*supervisors, *pids]:
        os.kill(pid, signal.SIGKILL)
    return supervisors | pids


async def test_what_was_accepted_before_everything_was_killed_happens_after(stack: Stack) -> None:
    user = await stack.verified_user()
    headers = user.headers | {"Prefer": "respond-async"}
    base = httpx.URL(stack.urls["gateway"]["url"]).port
    await stack.stop("watchlist")
    async with stack.http(headers=headers) as http:
        accepted = [
            await http.put(f"/api/v1/watchlist/{symbol}", json={"note": symbol})
            for symbol in ("AAPL", "MSFT", "SAP.DE")
        ]
    killed = kill_everything(stack)
    await asyncio.to_thread(stack.qnt9, "up", "--detach", "--port-base", str(base))
    await until_well(stack)
    assert not killed & {process["pid"] for process in stack.status()["processes"]}
    for answer in accepted:
        assert await until_settled(stack, user, answer) == "succeeded"
    assert await symbols(stack, user) == {"AAPL", "MSFT", "SAP.DE"}
