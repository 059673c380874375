"""Questions to a worker that many ask at once: one command for all of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.http.endpoints import Call

T = TypeVar("T")

NEGATIVE_RESULT_SECONDS = 1.0
SETTLED_SECONDS = 0.25
"""So long an answer stands: for who looked in the cache before it was there."""


class SingleFlight(Generic[T]):
    """What is under way, by what is asked for. An answer stands for a moment, one in vain longer.

    `ask` never raises: what went wrong is an answer, too.
    """

    def __init__(
        self, ask: Callable[[Call, str], Awaitable[T]], *, is_negative: Callable[[T], bool]
    ) -> None:
        self._ask = ask
        self._is_negative = is_negative
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def begin(self, call: Call, subject: str) -> asyncio.Task[T]:
        """Asked now, unless it is being asked already."""
        task = self._tasks.get(subject)
        if task is None:
            task = self._tasks[subject] = asyncio.create_task(self._run(call, subject))
        return task

    async def answer(self, call: Call, subject: str, seconds: float) -> T | None:
        """The answer, or None when it takes longer; then it is under way all the same."""
        task = self.begin(call, subject)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return task.result() if done else None

    async def _run(self, call: Call, subject: str) -> T:
        stands = 0.0
        try:
            answer = await self._ask(call, subject)
            stands = NEGATIVE_RESULT_SECONDS if self._is_negative(answer) else SETTLED_SECONDS
            return answer
        finally:
            asyncio.get_running_loop().call_later(stands, self._tasks.pop, subject, None)
