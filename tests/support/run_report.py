"""What a test run reports at its end: the systems that it started, and where its time went."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

SLOWEST_FILES = 30
STARTED: list[str] = []
"""The data folders of the systems that this process started."""


def note_started(folder: object) -> None:
    """Count a system that is about to be started in a data folder."""
    STARTED.append(str(folder))


def seconds_by_file(durations: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of each test file, given node ids and the seconds of each phase."""
    found: defaultdict[str, float] = defaultdict(float)
    for nodeid, seconds in durations:
        found[nodeid.partition("::")[0]] += seconds
    return dict(found)


def lines(started: int, by_file: Mapping[str, float], lanes: Mapping[str, float]) -> Sequence[str]:
    """Return the lines of the report."""
    slowest = sorted(by_file.items(), key=lambda item: -item[1])[:SLOWEST_FILES]
    return [
        f"systems started: {started}",
        *(f"{seconds:8.1f} s  {lane}" for lane, seconds in sorted(lanes.items())),
        f"slowest files, of {len(by_file)}:",
        *(f"{seconds:8.1f} s  {name}" for name, seconds in slowest),
    ]
