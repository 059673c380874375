"""The whole benchmark: everything up, every measurement, the report, everything down."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from rich.console import Console

from bench import idle, machine, tables
from bench.measure import Measurement, measure
from bench.plain.settings import decoded
from bench.product import ROOT, Stack, running_product
from bench.profiling import Profile, Profiler
from bench.report import Report
from bench.scenarios import SCENARIOS, Scenario
from bench.services import running_services
from bench.systems import System
from bench.users import (
    Users,
    fill_cache,
    lists_as_at_the_start,
    sessions_as_at_the_start,
    settle_in,
)

CLIENTS = (1, 16, 64, 256)
WARMUP_SECONDS = 4.0
PUT = next(s for s in SCENARIOS if s.name == "put_watchlist")
PROFILED = ("gateway", "watchlist", "relay", "audit")
PROFILED_CLIENTS = 64
OPEN_LOOPS = ("qnt9", "equal", "lean")
OPEN_LOOP_SHARES = (0.25, 0.5, 0.75)
OPEN_LOOP_SECONDS = 10.0
CONNECTIONS = 256
"""Of an open loop: a request that is due waits only if so many are on their way."""
PROFILED_SECONDS = 8.0


@dataclass(frozen=True)
class BenchOptions:
    """What is to be measured."""

    scenarios: Sequence[Scenario]
    clients: Sequence[int]
    seconds: float
    profile: Sequence[str]
    port_base: int
    command: str


async def run(options: BenchOptions, console: Console) -> str:
    """All of it; the report in Markdown. Raises `BenchError`."""
    began = time.monotonic()
    (ROOT / "build").mkdir(exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    try:
        console.print("starting the system and the plain services")
        async with (
            running_product(data, options.port_base) as stack,
            running_services(stack) as services,
        ):
            users = await _populate(stack, services)
            systems = [stack.system, *services]
            await _warm_up(systems, users)
            idle_memory, idle_cpu = stack.system.memory(), await idle.cpu(stack.system)
            for service in services:
                shared = idle.SHARED & service.parts.keys()
                service.idle_of_others.update({part: idle_cpu[part] for part in shared})
            measurements = await _measure_all(options, systems, users, console)
            report = Report(options.command, await machine.facts(stack), measurements)
            report.idle_cpu, report.idle_memory = idle_cpu, idle_memory
            if any(scenario.hashes for scenario in options.scenarios):
                report.hashes_per_second = await idle.hashes_per_second()
            report.open_loop = await _measure_open_loops(options, systems, users, measurements)
            report.memory = {system.name: system.memory() for system in systems}
            for part in options.profile:
                report.profiles[part] = await _profile(stack, part, users, data)
            report.took = time.monotonic() - began
            report.print_rest(console)
            return report.to_markdown()
    finally:
        shutil.rmtree(data, ignore_errors=True)


async def _populate(stack: Stack, services: Sequence[System]) -> Users:
    keys = stack.credentials.keys
    users = Users(decoded(keys["QNT9_TOKEN_PRIVATE_KEY"]))
    await settle_in(stack.system.connection, users, decoded(keys["QNT9_ADDRESS_KEY"]))
    for service in services:
        await settle_in(service.connection, users, None)
    async with Redis.from_url(stack.status["redis"]["url"]) as redis:
        await fill_cache(redis)
    for system in (stack.system, *services):
        await system.connection.execute("ANALYZE")
    return users


async def _warm_up(systems: Sequence[System], users: Users) -> None:
    """What runs for years is warm: Kafka's compiler has seen the path, caches are filled."""
    for system in systems:
        await lists_as_at_the_start(system.connection, users)
        await measure(system, PUT, PROFILED_CLIENTS, WARMUP_SECONDS, users)


async def _measure_all(
    options: BenchOptions, systems: Sequence[System], users: Users, console: Console
) -> list[Measurement]:
    """Side by side: every service with so many clients before any has more. The order turns."""
    done: list[Measurement] = []
    for scenario in options.scenarios:
        for turn, clients in enumerate(options.clients):
            for system in _in_turn(systems, scenario, turn):
                if scenario.changes_lists or (scenario.shows_lists and not turn):
                    await lists_as_at_the_start(system.connection, users)
                if scenario.carries:
                    await sessions_as_at_the_start(system.connection, users)
                m = await measure(system, scenario, clients, options.seconds, users)
                done.append(m)
                console.print(
                    f"{m.scenario:<14} {m.clients:>4} clients  {m.system:<7} "
                    f"{m.per_second:>7,.0f}/s  p50 {m.p50_ms:>7.1f} ms  {m.cpu:>6.2f} CPU-s/1,000",
                    style="dim",
                )
        console.print(tables.comparison(scenario.name, done).to_rich())
    return done


def _in_turn(systems: Sequence[System], scenario: Scenario, turn: int) -> Sequence[System]:
    """Those that take these requests, each time another one first."""
    first = turn % len(systems)
    return [s for s in (*systems[first:], *systems[:first]) if s.takes(scenario)]


async def _measure_open_loops(
    options: BenchOptions,
    systems: Sequence[System],
    users: Users,
    measurements: Sequence[Measurement],
) -> list[Measurement]:
    """PUT at shares of what each of the compared services has done in a closed loop."""
    done = []
    for system in systems:
        rates = [
            m.per_second for m in measurements if (m.scenario, m.system) == (PUT.name, system.name)
        ]
        if system.name not in OPEN_LOOPS or not rates:
            continue
        for share in OPEN_LOOP_SHARES:
            await lists_as_at_the_start(system.connection, users)
            rate = max(1.0, max(rates) * share)
            seconds = max(options.seconds, OPEN_LOOP_SECONDS)
            done.append(await measure(system, PUT, CONNECTIONS, seconds, users, rate=rate))
    return done


async def _profile(stack: Stack, part: str, users: Users, data: Path) -> Profile | str:
    """One part of the system, while 64 clients put."""
    profiler = Profiler(stack.system.parts[part], PROFILED_SECONDS, data)
    recorded, _ = await asyncio.gather(
        profiler.record(), measure(stack.system, PUT, PROFILED_CLIENTS, PROFILED_SECONDS, users)
    )
    return recorded
