"""Log files of processes that hold them open: bounded while they are written.

A process keeps the descriptor that it was started with, so its file cannot be replaced: what it
holds is copied beside it, and it is cut to nothing. Lines that are written between the two are
lost. Writers append, so the next line is at the beginning.
"""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import structlog

log = structlog.get_logger()

MAX_BYTES = 20 * 1024 * 1024
"""Of one file; the one before it is kept as well."""
LOOK_EVERY = 5.0


def limit_size(path: Path, most: int = MAX_BYTES) -> bool:
    """Move what a log file holds to `<name>.1` when it is larger. Whether it was. Never raises.

    Without room for the copy, what the file holds is given up: it would only grow.
    """
    before = path.with_name(f"{path.name}.1")
    try:
        if path.stat().st_size <= most:
            return False
        try:
            shutil.copyfile(path, before)
            before.chmod(0o600)
        except OSError:
            before.unlink(missing_ok=True)
        os.truncate(path, 0)
    except OSError:
        return False
    return True


async def keep_bounded(folder: Path, *, most: int = MAX_BYTES, every: float = LOOK_EVERY) -> None:
    """Look after all log files in a folder, for ever."""
    while True:
        await asyncio.sleep(every)
        for name in await asyncio.to_thread(_limit_all, folder, most):
            log.info("log_rotated", file=name)


def _limit_all(folder: Path, most: int) -> list[str]:
    paths: list[Path] = []
    with contextlib.suppress(OSError):
        paths = sorted(folder.glob("*.log"))
    return [path.name for path in paths if limit_size(path, most)]
