"""The ASGI scope of a request."""

from collections.abc import Callable
from typing import Any

from starlette.types import Scope

from infra.http.reader import Head

ABORT = "qnt9.abort"
"""The ASGI extension under which the application finds the means to cut a connection."""
_ASGI = {"version": "3.0", "spec_version": "2.3"}

Address = tuple[str, int]
"""Host and port."""


def scope_of(
    head: Head, *, client: Address | None, server: Address | None, abort: Callable[[], None]
) -> Scope:
    """Return the scope of a request with this head, which `abort` cuts off from its client."""
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": head.version,
        "method": head.method,
        "scheme": "http",
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.headers,
        "client": client,
        "server": server,
        "extensions": {ABORT: abort},
    }


def address_of(name: Any) -> Address | None:
    """Return host and port of a socket's name, None for a socket that has no such name."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
