"""Who used how much of the machine: CPU time and memory of process trees, by part."""

import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

import psutil

ByPart = dict[str, float]

_BACKEND = re.compile(r"^postgres: (?P<user>\S+) (?P<database>\S+) \S+\(\d+\)")
MIB = 1024 * 1024


def cpu_seconds(parts: Mapping[str, int], *, database: str) -> ByPart:
    """CPU time that each part's tree of processes has used so far, ended children included.

    Of the database server, the sessions of other databases than this one are left out: the server
    is shared by all that are compared.
    """
    used: ByPart = defaultdict(float)
    for name, pid in parts.items():
        for process in _tree(pid):
            with suppress(psutil.NoSuchProcess):
                if name == "postgres" and _serves_another(process, database):
                    continue
                times = process.cpu_times()
                used[name] += times.user + times.system
                used[name] += times.children_user + times.children_system
    return used


def memory_mib(parts: Mapping[str, int], *, database: str) -> ByPart:
    """Memory by part: proportional set size where the kernel tells it, else resident set size."""
    held: ByPart = defaultdict(float)
    for name, pid in parts.items():
        for process in _tree(pid):
            with suppress(psutil.NoSuchProcess):
                if name == "postgres" and _serves_another(process, database):
                    continue
                held[name] += _held(process) / MIB
    return held


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _serves_another(process: psutil.Process, database: str) -> bool:
    match = _BACKEND.match(" ".join(process.cmdline()))
    return match is not None and match["database"] != database


def _held(process: psutil.Process) -> float:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return float(process.memory_info().rss)
    return float(getattr(full, "pss", full.rss))
