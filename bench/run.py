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

from bench import machine, tables
from bench.measure import Measurement, measure
from bench.people import (
    People,
    fill_cache,
    lists_as_at_the_start,
    sessions_as_at_the_start,
    settle_in,
)
from bench.plain.settings import decoded
from bench.product import ROOT, Stack, running_product
from bench.profiling import Profile, Profiler
from bench.report import Report
from bench.scenarios import SCENARIOS, Scenario
from bench.services import running_services
from bench.systems import System

CLIENTS = (1, 16, 64, 256)
WARMUP_SECONDS = 4.0
PUT = next(s for s in SCENARIOS if s.name == "put_watchlist")
PROFILED = ("gateway", "watchlist", "relay", "audit")
PROFILED_CLIENTS = 64
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
            people = await _populate(stack, services)
            systems = [stack.system, *services]
            await _warm_up(systems, people)
            measurements = await _measure_all(options, systems, people, console)
            report = Report(options.command, await machine.facts(stack), measurements)
            report.memory = {system.name: system.memory() for system in systems}
            for part in options.profile:
                report.profiles[part] = await _profile(stack, part, people, data)
            report.took = time.monotonic() - began
            report.print_rest(console)
            return report.to_markdown()
    finally:
        shutil.rmtree(data, ignore_errors=True)


async def _populate(stack: Stack, services: Sequence[System]) -> People:
    keys = stack.credentials.keys
    people = People(decoded(keys["QNT9_TOKEN_PRIVATE_KEY"]))
    await settle_in(stack.system.connection, people, decoded(keys["QNT9_ADDRESS_KEY"]))
    for service in services:
        await settle_in(service.connection, people, None)
    async with Redis.from_url(stack.status["redis"]["url"]) as redis:
        await fill_cache(redis)
    for system in (stack.system, *services):
        await system.connection.execute("ANALYZE")
    return people


async def _warm_up(systems: Sequence[System], people: People) -> None:
    """What runs for years is warm: Kafka's compiler has seen the path, caches are filled."""
    for system in systems:
        await lists_as_at_the_start(system.connection, people)
        await measure(system, PUT, PROFILED_CLIENTS, WARMUP_SECONDS, people)


async def _measure_all(
    options: BenchOptions, systems: Sequence[System], people: People, console: Console
) -> list[Measurement]:
    """Side by side: every service with so many clients before any has more. The order turns."""
    done: list[Measurement] = []
    for scenario in options.scenarios:
        for turn, clients in enumerate(options.clients):
            for system in (*systems[turn % len(systems) :], *systems[: turn % len(systems)]):
                if scenario.changes_lists or (scenario.shows_lists and not turn):
                    await lists_as_at_the_start(system.connection, people)
                if scenario.carries:
                    await sessions_as_at_the_start(system.connection, people)
                m = await measure(system, scenario, clients, options.seconds, people)
                done.append(m)
                console.print(
                    f"{m.scenario:<14} {m.clients:>4} clients  {m.system:<7} "
                    f"{m.per_second:>7,.0f}/s  p50 {m.p50_ms:>7.1f} ms  {m.cpu:>6.2f} CPU-s/1,000",
                    style="dim",
                )
        console.print(tables.comparison(scenario.name, done).to_rich())
    return done


async def _profile(stack: Stack, part: str, people: People, data: Path) -> Profile | str:
    """One part of the system, while 64 clients put."""
    profiler = Profiler(stack.system.parts[part], PROFILED_SECONDS, data)
    recorded, _ = await asyncio.gather(
        profiler.record(), measure(stack.system, PUT, PROFILED_CLIENTS, PROFILED_SECONDS, people)
    )
    return recorded
