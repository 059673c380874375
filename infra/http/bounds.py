"""What one connection, one client and all of them together may take of a process."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

ClientKey = Callable[[str], str | None]
"""Under which name a peer's connections are counted; None where they are not counted."""


class Phase(Enum):
    """What a connection waits for, and so which time limit holds. Values are metric labels."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    LINGER = "linger"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes, seconds and numbers. The defaults suit a process of 256 MB."""

    head_bytes: int = 32 * 1024
    """Request line and header lines, blank lines before them included."""
    target_bytes: int = 8 * 1024
    """The request target, path and query: RFC 9110, 4.1 asks for 8,000 at least."""
    header_lines: int = 128
    trailer_bytes: int = 8 * 1024
    """Trailer lines are counted and dropped: they never become headers (RFC 9110, 6.5.1)."""
    framing_bytes: int = 16 * 1024
    """Of chunk sizes and extensions before the next byte of content, and in all besides
    `FRAMING_SHARE` bytes for each byte of content."""
    unread_body_bytes: int = 64 * 1024
    """Of a body that the application has not asked for; the rest stays in the kernel."""
    head_seconds: float = 15.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    """Between two requests on one connection: longer than clients and proxies keep one, so that
    none is closed as a request is on its way. Those that are idle make room for others."""
    write_seconds: float = 30.0
    """In which a client takes nothing of an answer."""
    linger_seconds: float = 2.0
    """For which a refused client is still read from, so that it gets to read the refusal."""
    connections: int = 4_096
    connections_of_client: int = 512
    buffered_bytes: int = 32 * 1024 * 1024
    """Of heads and bodies of all requests that are not answered yet."""

    def seconds(self, phase: Phase) -> float:
        """How long a connection may be in a phase."""
        match phase:
            case Phase.IDLE:
                return self.idle_seconds
            case Phase.HEAD:
                return self.head_seconds
            case Phase.BODY:
                return self.body_seconds
            case Phase.LINGER:
                return self.linger_seconds


FRAMING_SHARE = 8
"""A chunk of one byte takes six bytes: a client may send its body so."""
