"""Waiting for something to come true, with a deadline instead of a sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(
    holds: Callable[[], Awaitable[bool]] | Callable[[], bool], *, seconds: float = 10
) -> None:
    """Returns when it holds; fails the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        result = holds()
        if await result if isinstance(result, Awaitable) else result:
            return
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)
