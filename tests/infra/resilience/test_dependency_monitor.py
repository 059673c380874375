import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from infra.resilience.dependency_monitor import UP, AwayError, Dependency
from tests.support.waiting import until


class Server:
    """Answers, hangs or fails, as the test sets it."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.error: BaseException | None = None
        self.asked = 0

    async def probe(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error
        await self.answers.wait()


@asynccontextmanager
async def watched(server: Server, **options: float) -> AsyncIterator[Dependency]:
    times = {"seconds": 0.05, "every": 0.02, "away_every": 0.01} | options
    dependency = Dependency("it", server.probe, **times)
    watching = asyncio.create_task(dependency.watch())
    try:
        yield dependency
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_server_that_hangs_is_away_until_it_answers_again() -> None:
    server = Server()
    server.answers.set()
    async with watched(server) as dependency:
        assert dependency.problem
        dependency.check()  # nobody knows yet
        await until(lambda: dependency.problem is None)
        server.answers.clear()
        await until(lambda: dependency.is_away)
        assert "it does not answer for 0 s: TimeoutError" in (dependency.problem or "")
        assert UP.labels("it")._value.get() == 0
        with pytest.raises(AwayError):
            dependency.check()
        server.answers.set()
        await until(lambda: dependency.problem is None)
        dependency.check()
        assert UP.labels("it")._value.get() == 1


@pytest.mark.parametrize("error", [OSError("no"), RuntimeError("no"), asyncio.CancelledError()])
async def test_server_whose_probe_fails_in_any_way_is_away(error: BaseException) -> None:
    server = Server()
    server.error = error
    server.answers.set()
    async with watched(server) as dependency:
        await until(lambda: dependency.is_away)
        server.error = None
        await until(lambda: dependency.problem is None)


async def test_suspected_server_is_away_for_everyone_and_asked_at_once() -> None:
    server = Server()
    server.answers.set()
    async with watched(server, every=3_600) as dependency:
        await until(lambda: dependency.problem is None)
        asked = server.asked
        dependency.suspect(TimeoutError())
        with pytest.raises(AwayError):
            dependency.check()
        await until(lambda: dependency.problem is None)
        assert server.asked == asked + 1
