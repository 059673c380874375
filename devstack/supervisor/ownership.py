"""One supervisor to a data folder."""

import contextlib
import fcntl
from collections.abc import Iterator

from devstack.supervisor.layout import Layout


class AlreadyRunningError(Exception):
    """Another supervisor has this data folder."""


@contextlib.contextmanager
def sole_owner(layout: Layout) -> Iterator[None]:
    """Holds the data folder; the operating system lets go of it whatever becomes of us."""
    layout.create()
    with layout.lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(str(layout.root)) from error
        yield


def is_running(layout: Layout) -> bool:
    if not layout.lock.exists():
        return False
    try:
        with sole_owner(layout):
            return False
    except AlreadyRunningError:
        return True
