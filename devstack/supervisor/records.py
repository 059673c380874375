"""Who was started, on disk: so that a supervisor that was killed leaves nothing in the way."""

import contextlib
import json
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import psutil

from devstack.supervisor.layout import Layout, write_private

GRACE = 10.0
SAME_START = 0.05
"""Seconds; a pid that was given to another process has another start time."""


@dataclass(frozen=True)
class Record:
    pid: int
    started: float
    tier: int
    stop_signal: int


class Records:
    def __init__(self, layout: Layout) -> None:
        self._file = layout.records
        self._records: dict[str, Record] = {}
        if self._file.exists():
            loaded = json.loads(self._file.read_text("utf-8"))
            self._records = {name: Record(**values) for name, values in loaded.items()}

    def add(self, name: str, pid: int, *, tier: int, stop_signal: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            started = psutil.Process(pid).create_time()
            self._records[name] = Record(pid, started, tier, stop_signal)
            self._save()

    def forget(self, name: str) -> None:
        if self._records.pop(name, None):
            self._save()

    def alive(self) -> dict[str, int]:
        """Name and pid of what was recorded and still runs."""
        return {name: each.pid for name, each in self._records.items() if _find(each)}

    def end_all(self) -> list[str]:
        """End what is left of an earlier run, in order; returns the names. Blocks."""
        ended: list[str] = []
        for tier in sorted({each.tier for each in self._records.values()}, reverse=True):
            found = {
                name: (process, record)
                for name, record in self._records.items()
                if record.tier == tier and (process := _find(record))
            }
            for process, record in found.values():
                _send(process, record.stop_signal)
            _outlast(process for process, _ in found.values())
            ended += found
        self._records.clear()
        self._save()
        return ended

    def _save(self) -> None:
        values = {name: asdict(each) for name, each in self._records.items()}
        write_private(self._file, json.dumps(values))


def _find(record: Record) -> psutil.Process | None:
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started) < SAME_START
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _outlast(processes: Iterable[psutil.Process]) -> None:
    remaining = list(processes)
    deadline = time.monotonic() + GRACE
    while (remaining := [each for each in remaining if _lives(each)]) and (
        time.monotonic() < deadline
    ):
        psutil.wait_procs(remaining, timeout=0.1)
    for process in remaining:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=GRACE)


def _lives(process: psutil.Process) -> bool:
    """A zombie is over: in a container its parent may never collect it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
