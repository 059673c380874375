"""Supervision, with processes that do nothing but live and die."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.supervisor.components import Part, Say, Tier
from devstack.supervisor.layout import Layout
from devstack.supervisor.process import NeverReadyError, NotReadyYetError, Process, State
from devstack.supervisor.records import Records
from tests.support.waiting import until

RUNS_UNTIL_A_SIGNAL = "import signal; signal.pause()"
IGNORES_SIGTERM = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'w').close(); signal.pause()"
)

DIES_UNTIL_IT_EXISTS = (
    "import pathlib, signal, sys;pathlib.Path(sys.argv[1]).exists() or sys.exit(3); signal.pause()"
)

Make = Callable[..., Process]


@dataclass
class Disk:
    """What a part prepares itself on."""

    free: bool
    failed: int = 0

    def write(self, _: Say) -> None:
        if not self.free:
            self.failed += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    layout = Layout(tmp_path / "data")
    layout.create()
    made: list[Process] = []

    def process(
        code: str,
        *arguments: str,
        ready: bool = True,
        grace: float = 5.0,
        probe: Callable[[], bool] | None = None,
        prepare: Callable[[Say], None] | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> Process:
        async def answers() -> bool:
            return probe() if probe else ready

        part = Part(
            "it",
            Tier.WORKERS,
            (sys.executable, "-c", code, *arguments),
            {},
            answers,
            where="",
            ports=(),
            prepare=prepare,
            grace=grace,
            ready_within=5.0 if ready else 0.2,
        )
        made.append(Process(part, layout, Records(layout), announce))
        return made[-1]

    yield process
    for each in made:
        each.stop_now()
        await each.stop()


async def test_a_process_that_dies_is_started_again(make: Make) -> None:
    process = make(RUNS_UNTIL_A_SIGNAL)
    await process.start()
    first = process.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.state == State.READY and process.pid not in {None, first})


async def test_stopped_stays_stopped_until_it_is_started(make: Make) -> None:
    process = make(RUNS_UNTIL_A_SIGNAL)
    await process.start()
    await process.stop()
    assert (process.state, process.pid) == (State.STOPPED, None)
    await process.start()
    assert process.state == State.READY


async def test_what_does_not_finish_in_its_grace_is_ended(make: Make, tmp_path: Path) -> None:
    process = make(IGNORES_SIGTERM, str(tmp_path / "ignoring"), grace=0.2)
    await process.start()
    await until((tmp_path / "ignoring").exists)
    async with asyncio.timeout(5):
        await process.stop()
    assert process.state == State.STOPPED


async def test_process_that_only_dies_is_reported_and_tried_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.supervisor.process.FIRST_DELAY", 0.001)
    repaired = tmp_path / "repaired"
    process = make(DIES_UNTIL_IT_EXISTS, str(repaired), probe=repaired.exists)
    with pytest.raises(NeverReadyError, match="exit code 3"):
        await process.start()
    repaired.touch()
    await until(lambda: process.state == State.READY)


async def test_preparation_that_fails_is_reported_and_tried_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.supervisor.process.FIRST_DELAY", 0.01)
    disk = Disk(free=False)
    process = make(RUNS_UNTIL_A_SIGNAL, prepare=disk.write)
    with pytest.raises(NeverReadyError, match="No space left"):
        await process.start()
    disk.free = True
    await until(lambda: process.state == State.READY)
    disk.free = False
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    failed = disk.failed
    await until(lambda: disk.failed > failed + 1)
    disk.free = True
    await until(lambda: process.state == State.READY)


async def test_process_runs_though_it_cannot_be_recorded_or_announced(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("devstack.supervisor.records.write_private", full)
    process = make(RUNS_UNTIL_A_SIGNAL, announce=full)
    await process.start()
    first = process.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.state == State.READY and process.pid not in {None, first})


async def test_what_runs_and_is_not_ready_keeps_running(make: Make) -> None:
    process = make(RUNS_UNTIL_A_SIGNAL, ready=False)
    with pytest.raises(NotReadyYetError):
        await process.start()
    assert process.state == State.STARTING
    assert process.pid
