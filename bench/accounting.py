"""Who used how much of the machine: CPU time and memory of process trees, by part."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil

ByPart = dict[str, float]

_BACKEND = re.compile(r"^postgres: (?:qnt9_)?(?P<role>\S+) (?P<database>\S+) \S+\(\d+\)")
MIB = 1024 * 1024


def cpu_seconds(parts: Mapping[str, int], *, database: str) -> ByPart:
    """CPU time that each part's tree of processes has used so far, ended children included.

    The database server is shared by all that are compared: of its sessions those in another
    database are left out, and the rest is told apart by role.
    """
    used: ByPart = defaultdict(float)
    for part, process in _processes(parts, database):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used[part] += times.user + times.system
            used[part] += times.children_user + times.children_system
    return used


def memory_mib(parts: Mapping[str, int], *, database: str) -> ByPart:
    """Memory by part: proportional set size where the kernel tells it, else resident set size."""
    held: ByPart = defaultdict(float)
    for part, process in _processes(parts, database):
        with suppress(psutil.NoSuchProcess):
            held[part.partition(" ")[0]] += _held(process) / MIB
    return held


def _processes(parts: Mapping[str, int], database: str) -> Iterator[tuple[str, psutil.Process]]:
    for name, pid in parts.items():
        for process in _tree(pid):
            if name != "postgres":
                yield name, process
                continue
            with suppress(psutil.NoSuchProcess):
                title = _BACKEND.match(" ".join(process.cmdline()))
                if title is None:
                    yield name, process
                elif title["database"] == database:
                    yield f"{name} for {title['role']}", process


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _held(process: psutil.Process) -> float:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return float(process.memory_info().rss)
    return float(getattr(full, "pss", full.rss))
