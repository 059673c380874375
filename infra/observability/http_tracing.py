"""The span of each HTTP request, and the trace id in its log lines."""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from infra.observability.tracing import TRACING

NOT_TRACED = "/health/"


class TraceRequests:
    """ASGI middleware: a request is one span, below the context of its `traceparent` field."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(NOT_TRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        attributes = {"http.request.method": method}
        with TRACING.continued(method, "server", traceparent_in(scope["headers"]), attributes):
            await self._app(scope, receive, send)


def traceparent_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The `traceparent` field of a request; None where there is none, or more than one."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None
