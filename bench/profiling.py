"""Where the CPU of one process goes: py-spy looks on from outside while it works."""

import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.tables import Sheet

SAMPLES_PER_SECOND = 250
DISPLAYED = 20
_FRAME = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(?::\d+)?\)$")


@dataclass(frozen=True)
class Profile:
    """Samples of one process, by function."""

    samples: int
    own: Counter[str]
    """Taken while the function itself was at work."""
    total: Counter[str]
    """Taken while it, or what it called, was at work."""

    @classmethod
    def of_stacks(cls, lines: Iterable[str]) -> "Profile":
        """From py-spy's raw format: the frames of a stack, outermost first, and how often."""
        samples, own, total = 0, Counter[str](), Counter[str]()
        for line in lines:
            stack, _, number = line.rpartition(" ")
            frames = [_function(frame) for frame in stack.split(";")]
            samples += int(number)
            own[frames[-1]] += int(number)
            for frame in set(frames):
                total[frame] += int(number)
        return cls(samples, own, total)

    def sheets(self, what: str) -> list[Sheet]:
        return [
            self._sheet(f"{what}: by function, what it calls not counted", self.own),
            self._sheet(f"{what}: by function, what it calls included", self._inner()),
        ]

    def _inner(self) -> Counter[str]:
        """Without what everything is called from."""
        return Counter({f: n for f, n in self.total.items() if n < 0.99 * self.samples})

    def _sheet(self, title: str, counted: Counter[str]) -> Sheet:
        rows = [
            (function, f"{number / self.samples:.1%}")
            for function, number in counted.most_common(DISPLAYED)
        ]
        return Sheet(title, ("function", "share of its CPU"), rows)


class Profiler:
    """Records a process for some seconds, beside whatever else goes on.

    Only while it holds the interpreter's lock: what waits for the network is not at work.
    """

    def __init__(self, pid: int, seconds: float, folder: Path) -> None:
        self._pid = pid
        self._seconds = seconds
        self._file = folder / f"profile-{pid}.txt"

    async def record(self) -> Profile | str:
        """The profile, or why there is none."""
        command = shutil.which("py-spy", path=str(Path(sys.executable).parent))
        if command is None:
            return "py-spy is not installed"
        child = await asyncio.create_subprocess_exec(
            *(command, "record", "--pid", str(self._pid), "--gil", "--format", "raw"),
            *("--duration", str(round(self._seconds)), "--rate", str(SAMPLES_PER_SECOND)),
            *("--output", str(self._file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        _, errors = await child.communicate()
        if child.returncode or not self._file.exists():
            return f"py-spy may not look at it: {errors.decode().strip().splitlines()[-1:]}"
        return Profile.of_stacks(self._file.read_text("utf-8").splitlines())


def _function(frame: str) -> str:
    match = _FRAME.match(frame)
    if match is None:
        return frame
    return f"{match['function']} ({match['file'].removeprefix(str(Path.cwd()) + '/')})"
