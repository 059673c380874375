"""Starlette's request, with what the gateway learns about it while it is answered."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import Receive, Scope

from gateway.http.header_fields import SINGLETONS

_KEY = "qnt9.request"


class GatewayRequest(Request):
    """One request; field lines of one name are one value (RFC 9110, 5.3)."""

    def __init__(
        self, scope: Scope, receive: Receive, request_id: str = "", correlation_id: str = ""
    ) -> None:
        self.repeated_singleton = join_field_lines(scope)
        """A field with one value that came with two."""
        super().__init__(scope, receive)
        scope[_KEY] = self
        self.request_id = request_id
        """The client's, said in the response and nowhere else."""
        self.correlation_id = correlation_id
        self.status = 0
        """Of the response, once it has begun."""
        self.limits: Sequence[tuple[str, str]] = ()
        """Header fields that say what is left of the limits."""

    @staticmethod
    def of(scope: Scope) -> "GatewayRequest":
        """Return the request that was made for this scope."""
        request: GatewayRequest = scope[_KEY]
        return request

    @property
    def path(self) -> str:
        """The path, decoded."""
        path: str = self.scope["path"]
        return path

    @property
    def query(self) -> str:
        """The query as it was sent, without the question mark."""
        query: bytes = self.scope.get("query_string", b"")
        return query.decode("latin-1")

    @property
    def route(self) -> str:
        """The declared path, for metrics; "unknown" before there is one."""
        route = self.scope.get("route")
        return route.path if route else "unknown"


def join_field_lines(scope: Scope) -> str | None:
    """Join lines of one name with commas, in order. Returns a singleton that came twice."""
    lines = scope["headers"]
    joined: dict[bytes, bytes] = {}
    for name, value in lines:
        joined[name] = joined[name] + b"," + value if name in joined else value
    if len(joined) == len(lines):
        return None
    scope["headers"] = list(joined.items())
    names = [name.decode("latin-1") for name, _ in lines]
    return next((name for name in SINGLETONS if names.count(name) > 1), None)
