"""One HTTP request as the edge reads it: headers decoded once, the body as it arrives."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Self

from starlette.types import Receive, Scope

from gateway.http.header_fields import SINGLETONS
from infra.http.connection import ABORT


class CutOffError(Exception):
    """The client left before its body was whole."""


@dataclass(slots=True)
class Request:
    """`headers` by lower-case name; lines of one name are joined with commas (RFC 9110, 5.3).

    `abort` cuts the connection.
    """

    method: str
    path: str
    headers: dict[str, str]
    peer: str | None
    receive: Receive
    query: str = ""
    params: dict[str, str] = field(default_factory=dict)
    abort: Callable[[], None] = lambda: None
    repeated: str | None = None
    """A field with one value that came with two."""

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> Self:
        """The request of an ASGI scope."""
        headers: dict[str, str] = {}
        repeated = None
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if name in headers:
                value = f"{headers[name]},{value}"
                repeated = name if name in SINGLETONS else repeated
            headers[name] = value
        client = scope.get("client")
        request = cls(
            scope["method"],
            scope["path"],
            headers,
            client[0] if client else None,
            receive,
            scope.get("query_string", b"").decode("latin-1"),
        )
        request.abort = scope.get("extensions", {}).get(ABORT, request.abort)
        request.repeated = repeated
        return request

    async def gone(self) -> None:
        """Returns when the client has left, of a request whose body nobody reads any more."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises `CutOffError`."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise CutOffError
            yield message.get("body", b"")
            more = message.get("more_body", False)
