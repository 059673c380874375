"""One measurement: one service, one kind of request, so many clients."""

import asyncio
import json
import pickle
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from bench.accounting import ByPart
from bench.load import GRACE_SECONDS, Plan
from bench.product import ROOT, BenchError
from bench.scenarios import Scenario
from bench.systems import HOST, System
from bench.users import Users

WARMUP_SECONDS = 0.8
WARMUP_HASHES = 8
SETTLE_SECONDS = 60.0
LOOK_EVERY = 0.05
NUMBERS_EACH = 1_000_000

_blocks = count(1)


@dataclass(frozen=True)
class Measurement:
    """What one of them did with one kind of request from so many clients."""

    scenario: str
    system: str
    clients: int
    answered: int
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]
    cpu_per_1000: ByPart
    """CPU seconds per 1,000 requests, by part."""
    settle_seconds: float
    """From the last answer until everything that belongs to it was done."""
    client_share: float
    """Of one core, taken by those who ask."""
    p999_ms: float = 0.0
    rate: float | None = None
    """Of an open loop, requests a second that were due."""

    @property
    def cpu(self) -> float:
        return sum(self.cpu_per_1000.values())


async def measure(
    system: System,
    scenario: Scenario,
    clients: int,
    seconds: float,
    users: Users,
    *,
    rate: float | None = None,
) -> Measurement:
    """Warm up, wait until that is digested, measure, wait until that is digested too."""
    if scenario.carries and clients > len(users.everybody):
        raise BenchError(f"{scenario.name}: there are {len(users.everybody)} sessions, not more")
    number = scenario.number_of_requests(clients, seconds)
    plan = Plan(
        host=HOST,
        ports=system.ports,
        clients=clients,
        requests=tuple(scenario.requests(users)),
        first_number=next(_blocks) * NUMBERS_EACH,
        warmup_seconds=WARMUP_SECONDS,
        seconds=seconds,
        number_of_requests=number,
        warmup_requests=WARMUP_HASHES if scenario.hashes else None,
        rate=rate,
        carries=scenario.carries,
    )
    load = await _ask(plan)
    try:
        await _line(load)
        await _settled(system, scenario)
        before, began = system.cpu(), time.perf_counter()
        assert load.stdin
        load.stdin.write(b"go\n")
        result = json.loads(await _line(load))
        settle_seconds = await _settled(system, scenario)
        used = system.own(before, system.cpu(), time.perf_counter() - began)
    except BaseException:
        with suppress(ProcessLookupError):
            load.kill()
        raise
    finally:
        await load.wait()
    return replace(_summary(system, scenario, result, used, settle_seconds), rate=rate)


def _summary(
    system: System, scenario: Scenario, result: dict[str, Any], used: ByPart, settle_seconds: float
) -> Measurement:
    latencies: list[float] = result["latencies"]
    errors = {status: n for status, n in result["statuses"].items() if not status.startswith("2")}
    if result["lost"]:
        errors["no answer"] = result["lost"]
    answered = len(latencies)
    if not answered:
        raise BenchError(f"{system.name} answered none of {scenario.name}")
    # A sign-up that was answered and not yet made is not done.
    seconds = result["seconds"] + (settle_seconds if scenario.done_when_settled else 0.0)
    return Measurement(
        scenario=scenario.name,
        system=system.name,
        clients=result["clients"],
        answered=answered,
        per_second=result["within"] / seconds,
        p50_ms=percentile(latencies, 0.50) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        p999_ms=percentile(latencies, 0.999) * 1000,
        errors=errors,
        cpu_per_1000={part: each / answered * 1000 for part, each in used.items()},
        settle_seconds=settle_seconds,
        client_share=result["cpu"] / result["took"],
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed."""
    if not ordered:
        return float("nan")
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


async def _ask(plan: Plan) -> asyncio.subprocess.Process:
    load = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
        start_new_session=True,
    )
    assert load.stdin
    load.stdin.write(pickle.dumps(plan))
    await load.stdin.drain()
    return load


async def _line(load: asyncio.subprocess.Process) -> bytes:
    assert load.stdout
    async with asyncio.timeout(2 * GRACE_SECONDS + SETTLE_SECONDS):
        line = await load.stdout.readline()
    if not line:
        raise BenchError("the load generator ended early; its errors are above")
    return line


async def _settled(system: System, scenario: Scenario) -> float:
    """Wait until everything that was asked is done; how long that took."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while not await system.work.done(scenario.settles):  # noqa: ASYNC110 - elsewhere
                await asyncio.sleep(max(LOOK_EVERY, (time.perf_counter() - began) / 20))
    except TimeoutError as error:
        raise BenchError(
            f"{system.name} has not done {scenario.settles.value} after {SETTLE_SECONDS:.0f} s"
        ) from error
    return time.perf_counter() - began
