"""Supervision, with processes that do nothing but live and die."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from infra.embedded.layout import Layout
from infra.embedded.parts import Part, Tier
from infra.embedded.process import NeverReadyError, NotReadyYetError, Process, State
from infra.embedded.records import Records

SLEEPS = "import time; time.sleep(60)"
IGNORES_SIGTERM = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'w').close(); time.sleep(60)"
)

Make = Callable[..., Process]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    layout = Layout(tmp_path / "data")
    layout.create()
    made: list[Process] = []

    def process(code: str, *arguments: str, ready: bool = True, grace: float = 5.0) -> Process:
        async def probe() -> bool:
            return ready

        part = Part(
            "it",
            Tier.WORKERS,
            (sys.executable, "-c", code, *arguments),
            {},
            probe,
            where="",
            ports=(),
            grace=grace,
            ready_within=5.0 if ready else 0.2,
        )
        made.append(Process(part, layout, Records(layout), lambda _: None))
        return made[-1]

    yield process
    for each in made:
        each.stop_now()
        await each.stop()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def test_a_process_that_dies_is_started_again(make: Make) -> None:
    process = make(SLEEPS)
    await process.start()
    first = process.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: process.state == State.READY and process.pid not in {None, first})


async def test_stopped_stays_stopped_until_it_is_started(make: Make) -> None:
    process = make(SLEEPS)
    await process.start()
    await process.stop()
    assert (process.state, process.pid) == (State.STOPPED, None)
    await process.start()
    assert process.state == State.READY


async def test_what_does_not_finish_in_its_grace_is_ended(make: Make, tmp_path: Path) -> None:
    process = make(IGNORES_SIGTERM, str(tmp_path / "ignoring"), grace=0.2)
    await process.start()
    await eventually((tmp_path / "ignoring").exists)
    async with asyncio.timeout(5):
        await process.stop()
    assert process.state == State.STOPPED


async def test_what_only_dies_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.embedded.process.FIRST_DELAY", 0.001)
    process = make("raise SystemExit(3)", ready=False)
    with pytest.raises(NeverReadyError):
        await process.start()
    await eventually(lambda: process.state == State.FAILED)
    assert "exit code 3" in process.detail


async def test_what_runs_and_is_not_ready_keeps_running(make: Make) -> None:
    process = make(SLEEPS, ready=False)
    with pytest.raises(NotReadyYetError):
        await process.start()
    assert process.state == State.STARTING
    assert process.pid
