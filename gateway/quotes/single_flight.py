"""Questions to a worker that many ask at once: one command for all of them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Ask = Callable[[], Coroutine[Any, Any, T]]

NEGATIVE_RESULT_SECONDS = 1.0
SETTLED_SECONDS = 0.25
"""So long an answer stands: for who looked in the cache before it was there."""


class SingleFlight(Generic[T]):
    """Requests under way, by key. Answers are reused for a moment, negative ones longer.

    What is asked with (`ask`) never raises: what went wrong is an answer, too.
    """

    def __init__(self, *, is_negative: Callable[[T], bool]) -> None:
        self._is_negative = is_negative
        self._tasks: dict[str, asyncio.Task[T]] = {}

    def begin(self, subject: str, ask: Ask[T]) -> asyncio.Task[T]:
        """Asked now, unless it is being asked already."""
        task = self._tasks.get(subject)
        if task is None:
            task = self._tasks[subject] = asyncio.create_task(self._run(subject, ask))
        return task

    async def answer(self, subject: str, ask: Ask[T], seconds: float) -> T | None:
        """The answer, or None when it takes longer; then it is under way all the same."""
        task = self.begin(subject, ask)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return task.result() if done else None

    async def _run(self, subject: str, ask: Ask[T]) -> T:
        stands = 0.0
        try:
            answer = await ask()
            stands = NEGATIVE_RESULT_SECONDS if self._is_negative(answer) else SETTLED_SECONDS
            return answer
        finally:
            asyncio.get_running_loop().call_later(stands, self._tasks.pop, subject, None)
