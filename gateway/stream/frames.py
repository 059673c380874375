"""Server-Sent Events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from typing import Any

import orjson

RETRY_MS = 2_000


def frame(kind: str, data: Any, *, position: str | None = None) -> bytes:
    """One event. JSON has no line breaks, so one line of data is enough."""
    at = f"id: {position}\n" if position else ""
    return (
        f"{at}event: {kind}\ndata: ".encode()
        + orjson.dumps(data, option=orjson.OPT_UTC_Z)
        + b"\n\n"
    )


def opening(position: str) -> bytes:
    """When to come back after a cut, and from where, before anything has happened."""
    return f"retry: {RETRY_MS}\nid: {position}\n\n".encode()


def heartbeat(position: str) -> bytes:
    """No event to a client, but its position is moved on, and the connection seen to live."""
    return f":\nid: {position}\n\n".encode()


def ending(reason: str, retry_ms: int | None = None) -> bytes:
    """Why the stream ends here; the client may come back with its position."""
    retry = f"retry: {retry_ms}\n".encode() if retry_ms else b""
    return retry + frame("end", {"reason": reason})
