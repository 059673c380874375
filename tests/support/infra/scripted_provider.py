"""A provider that does as a script says, and a process that calls it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from infra.resilience.policies import (
    Change,
    CircuitChange,
    CircuitOpenError,
    CircuitPolicy,
    RetryPolicy,
    TransientError,
)
from infra.resilience.provider_calls import Upstream
from tests.support.waiting import until

LONG = 30.0
QUICK = RetryPolicy(least_seconds=0.01, most_seconds=0.02, jitter_seconds=0.01, fair_seconds=0.05)
ONCE = RetryPolicy(attempts=1, fair_seconds=0.05)
BRIEF = CircuitPolicy(open_seconds=0.1)


@dataclass
class Provider:
    """Answers as the script says, then well."""

    script: deque[BaseException] = field(default_factory=deque)
    calls: int = 0
    at_once: int = 0
    most_at_once: int = 0
    release: asyncio.Event | None = None

    async def ask(self) -> str:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            if self.release:
                await self.release.wait()
            if self.script:
                raise self.script.popleft()
            return "well"
        finally:
            self.at_once -= 1


@dataclass
class Process:
    """One process' view of a provider."""

    upstream: Upstream
    changes: list[Change]

    @property
    def path(self) -> list[str]:
        return [c.after for c in self.changes if isinstance(c, CircuitChange)]


def a_process(
    redis: Redis, *, retries: RetryPolicy = ONCE, circuit: CircuitPolicy = BRIEF
) -> Process:
    changes: list[Change] = []
    made = Upstream("sandbox", redis, changes.append, retries=retries, circuit=circuit)
    return Process(made, changes)


def failing(times: int, error: type[BaseException] = TransientError) -> Provider:
    return Provider(deque(error() for _ in range(times)))


async def fail(process: Process, provider: Provider, times: int) -> None:
    for _ in range(times):
        with pytest.raises(TransientError):
            await process.upstream.call(provider.ask, within=LONG)


async def until_answered(process: Process, provider: Provider) -> None:
    """As soon as the circuit lets a call through."""

    async def answered() -> bool:
        try:
            return await process.upstream.call(provider.ask, within=LONG) == "well"
        except CircuitOpenError:
            return False

    await until(answered)
