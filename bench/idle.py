"""What the machine does while nobody asks, and how many password hashes it makes."""

import asyncio
import os
import time

from bench.accounting import ByPart
from bench.systems import System
from bench.users import PASSWORD
from infra.security.password_hashing import Passwords

SETTLE_SECONDS = 3.0
IDLE_SECONDS = 10.0
HASH_SECONDS = 3.0
SHARED = frozenset({"kafka", "valkey"})
"""Parts that run for the system also while a plain service is measured."""


async def cpu(system: System, seconds: float = IDLE_SECONDS) -> ByPart:
    """CPU-seconds a second that each part takes while nobody asks."""
    await asyncio.sleep(SETTLE_SECONDS)
    before, began = system.cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    return {part: (used - before.get(part, 0.0)) / took for part, used in system.cpu().items()}


async def hashes_per_second(seconds: float = HASH_SECONDS) -> float:
    """Password hashes that the machine makes when it does nothing else, one a core at a time."""
    passwords, made, began = Passwords(), 0, time.perf_counter()

    async def make() -> None:
        nonlocal made
        while time.perf_counter() - began < seconds:
            async with passwords.slot() as slot:
                await slot.hash(PASSWORD)
            made += 1

    await asyncio.gather(*(make() for _ in range(os.cpu_count() or 1)))
    return made / (time.perf_counter() - began)
