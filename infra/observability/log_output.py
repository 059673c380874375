"""Log lines that never fail whoever writes them, and repeated ones that do not fill the disk.

A line that cannot be written (the disk is full, the reader of a pipe has gone, a value cannot be
shown) is counted and dropped. Of lines that repeat, a few in each interval are written; the next
one that is written says how many were left out (`suppressed`).
"""

import logging
import os
import time
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import structlog
from prometheus_client import Counter

DROPPED = Counter("qnt9_log_lines_dropped_total", "Log lines that could not be written")
SUPPRESSED = Counter("qnt9_log_lines_suppressed_total", "Repeated log lines that were left out")

INTERVAL_SECONDS = 30.0
MAX_KEYS = 1_000
EVENTS_PER_INTERVAL = 5
LIBRARY_LINES_PER_INTERVAL = 1
IDENTITY = (
    "consumer",
    "dependency",
    "error",
    "loop",
    "process",
    "provider",
    "purpose",
    "reason",
    "resource",
    "topic",
)
"""The fields that, with the event, make two lines the same."""
_REPEATING = {"warning", "error", "critical", "exception"}


class Writable(Protocol):
    """A text stream, as `sys.stdout` is one."""

    def write(self, text: str, /) -> Any: ...
    def flush(self) -> None: ...


class LogOutput:
    """Writes each line whole and unbuffered; one that cannot be written is counted and dropped."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._torn = False
        try:
            self._descriptor: int | None = stream.fileno()  # type: ignore[attr-defined]
        except (AttributeError, OSError, ValueError):
            self._descriptor = None  # a stream in memory

    def write(self, text: str) -> int:
        """Write a line. Never raises."""
        try:
            whole = self._write(text)
        except (OSError, ValueError):
            whole = False
        if not whole:
            DROPPED.inc()
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _write(self, text: str) -> bool:
        if self._descriptor is None:
            self._stream.write(text)
            self._stream.flush()
            return True
        data = text.encode(errors="backslashreplace")
        if self._torn:
            data = b"\n" + data
        written = os.write(self._descriptor, data)
        self._torn = written < len(data)
        return not self._torn


class RepeatLimiter:
    """Lets the same line pass a few times in each interval, and counts what it does not."""

    def __init__(
        self,
        most: int,
        *,
        seconds: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lines: dict[Hashable, tuple[float, int]] = {}

    def suppressed_before(self, key: Hashable) -> int | None:
        """How many of these lines were left out before this one; None when this one is, too."""
        now = self._clock()
        if key not in self._lines and len(self._lines) >= MAX_KEYS:
            self._forget(now)
            if len(self._lines) >= MAX_KEYS:
                key = None  # all that is new counts as one
        began, count = self._lines.get(key, (now, 0))
        left_out = 0
        if now - began >= self._seconds:
            left_out = max(0, count - self._most)
            began, count = now, 0
        self._lines[key] = began, count + 1
        if count >= self._most:
            SUPPRESSED.inc()
            return None
        return left_out

    def _forget(self, now: float) -> None:
        self._lines = {
            key: line for key, line in self._lines.items() if now - line[0] < self._seconds
        }


def limit_repeats(limiter: RepeatLimiter) -> structlog.typing.Processor:
    """A processor for our own warnings and errors; what is said for information always passes."""

    def limit(
        _: object, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if method not in _REPEATING:
            return event
        key = (event.get("event"), *(str(event.get(name)) for name in IDENTITY))
        suppressed = limiter.suppressed_before(key)
        if suppressed is None:
            raise structlog.DropEvent
        if suppressed:
            event["suppressed"] = suppressed
        return event

    return limit


class RepeatFilter(logging.Filter):
    """The same for the loggers of libraries: a line is its logger, its level and its template."""

    def __init__(self, limiter: RepeatLimiter) -> None:
        super().__init__()
        self._limiter = limiter

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, record.levelno, str(record.msg))
        suppressed = self._limiter.suppressed_before(key)
        if suppressed:
            record.suppressed = suppressed
        return suppressed is not None


class LibraryHandler(logging.StreamHandler[Any]):
    """A handler whose failures are counted, not written to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # as logging names it
        del record
        DROPPED.inc()


def never_raises(base: type[Any]) -> type[Any]:
    """A class of structlog's loggers whose calls do not raise, whatever they are given."""

    class Harmless(base):  # type: ignore[misc]
        def _proxy_to_logger(self, *args: Any, **values: Any) -> Any:
            try:
                return super()._proxy_to_logger(*args, **values)
            except Exception:  # noqa: BLE001  # a line that cannot be made fails nobody
                DROPPED.inc()
                return None

    return Harmless
