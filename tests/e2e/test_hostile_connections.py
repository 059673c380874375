"""Hostile connections: the gateway's memory stays, and other clients hardly notice."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from tests.support.e2e.hostile_connections import KINDS
from tests.support.e2e.second_gateway import second_gateway
from tests.support.evidence import Evidence
from tests.support.sizes import FULL, size
from tests.support.stack import ROOT, Stack, User

SECONDS = size(4.0, 60.0)
"""Of all kinds at once, then, at full size, of each by itself."""
CALM_SECONDS = size(2.0, 10.0)
STREAMS = size(700, 10_000)
CLIENTS = 4
MAX_GROWTH_MB = 20.0
NOISE_SECONDS = 0.05
"""Below this, a difference of two 99th percentiles says more about the machine."""
PAGE_SECONDS = 0.02
"""Between two requests of an ordinary client."""
TOGETHER = "all at once"
ATTACKS = size((TOGETHER,), (TOGETHER, *KINDS))


@dataclass
class Load:
    """What ordinary clients see."""

    seconds: list[float] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def client(self, url: str, user: User) -> None:
        stopped = asyncio.create_task(self.stop.wait())
        async with httpx.AsyncClient(base_url=url, headers=user.headers, timeout=30) as http:
            while not self.stop.is_set():
                began = time.perf_counter()
                answer = await http.get("/api/v1/users/me")
                self.seconds.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.text
                await asyncio.wait({stopped}, timeout=PAGE_SECONDS)

    def p99(self) -> float:
        """Of what was seen since the last time it was asked for."""
        seen, self.seconds = sorted(self.seconds), []
        assert len(seen) > CLIENTS
        return seen[int(len(seen) * 0.99)]


async def most_memory(process: psutil.Process, seconds: float) -> float:
    """The most that is resident over a while, MB."""
    most, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, process.memory_info().rss / 2**20)
        await asyncio.sleep(0.1)
    return most


async def attacked(port: int, user: User, kinds: list[str]) -> dict[str, dict[str, int]]:
    """What the attackers, in a process of their own, were answered."""
    arguments = (str(port), str(SECONDS), str(STREAMS), user.access_token, *kinds)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.e2e.hostile_connections", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    found: dict[str, dict[str, int]] = json.loads(out)
    return found


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_500))
async def test_hostile_connections(stack: Stack, evidence: Evidence) -> None:
    """Memory grows by less than 20 MB; the 99th percentile of others at most doubles."""
    users = [await stack.verified_user() for _ in range(CLIENTS + 1)]
    *ordinary, hostile = users
    figures: dict[str, object] = {"streams tried": STREAMS}
    async with second_gateway(stack) as (gateway, url):
        process, port, load = psutil.Process(gateway.pid), httpx.URL(url).port, Load()
        assert port
        clients = [asyncio.create_task(load.client(url, user)) for user in ordinary]
        try:
            await most_memory(process, CALM_SECONDS)  # caches fill
            for name in ATTACKS:
                kinds = [*KINDS] if name == TOGETHER else [name]
                load.seconds.clear()
                calm_memory, calm = await most_memory(process, CALM_SECONDS), load.p99()
                attacking = asyncio.create_task(attacked(port, hostile, kinds))
                memory = await most_memory(process, SECONDS)
                answers = await attacking
                p99, growth = load.p99(), memory - calm_memory
                figures[name] = (
                    f"{SECONDS:.0f} s, {growth:+.1f} MB, "
                    f"p99 {calm * 1000:.0f} to {p99 * 1000:.0f} ms; {answers}"
                )
                assert growth < MAX_GROWTH_MB, (name, growth, answers)
                assert not FULL or p99 <= 2 * max(calm, NOISE_SECONDS), (name, calm, p99)
                assert all(answers[kind]["connections"] for kind in kinds)
        finally:
            load.stop.set()
            await asyncio.gather(*clients)
    evidence.record(
        "Hostile connections",
        "One connection after another of each kind, from another address than ordinary clients' "
        "(streams: so many connections), against a gateway that four of those use: how its "
        "resident memory grew, their 99th percentile before and meanwhile, and what the attackers "
        "were answered.",
        figures,
    )
