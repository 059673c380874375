"""Waiting for something to come true: polling with a deadline instead of a sleep."""

import asyncio
import time
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
    """Return the first truthy answer. Fails with the last answer after the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := await probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s; last: {answer!r}")
        await asyncio.sleep(every)
    return answer


async def until(
    holds: Callable[[], Awaitable[bool]] | Callable[[], bool], *, seconds: float = 10
) -> None:
    """Return when it holds. Fails the test when it does not within so many seconds."""

    async def probe() -> bool:
        result = holds()
        return await result if isinstance(result, Awaitable) else result

    await eventually(probe, seconds=seconds, every=0.01)


def wait_until(
    holds: Callable[[], bool],
    *,
    seconds: float,
    otherwise: Callable[[], str] = lambda: "it did not happen in time",
) -> None:
    """Block until it holds. Fails with the text of `otherwise` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
