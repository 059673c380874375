"""Polling with a deadline, for what a running system does by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T]],
    *,
    seconds: float = 60,
    what: str = "it",
    every: float = 0.05,
) -> T:
    """Ask until the answer is truthy. Fails with the last answer after the deadline."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while True:
        answer = await probe()
        if answer:
            return answer
        if loop.time() > ends:
            raise AssertionError(f"{what} did not happen within {seconds} s; last: {answer!r}")
        await asyncio.sleep(every)
