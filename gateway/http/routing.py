"""Starlette routes for declared endpoints, one for each path."""

import re
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import unquote_to_bytes

from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.cors import Cors
from gateway.http.endpoints import Answer, Endpoint, Methods, allowed, endpoint_for
from gateway.http.middleware import SAFE
from gateway.http.request import GatewayRequest
from gateway.http.response import response_of
from gateway.problems import ProblemError

_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_NUL = "\0"
"""Stands for an encoded slash while paths are compared: no value of a path has a NUL in it."""

RunEndpoint = Callable[[Endpoint, GatewayRequest], Awaitable[Answer | Response]]


class EncodedSlashes:
    """Keeps an encoded slash within its segment of the path (RFC 3986, 2.2) for the router."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if _ENCODED_SLASH.search(raw):
            scope["path"] = unquote_to_bytes(_ENCODED_SLASH.sub(b"%00", raw)).decode()
        await self._app(scope, receive, send)

    @staticmethod
    def restore(scope: Scope) -> None:
        """Give the path and its parameters their slashes, once there is a route."""
        if _NUL in scope["path"]:
            scope["path"] = scope["path"].replace(_NUL, "/")
            values = scope["path_params"].items()
            scope["path_params"] = {name: text.replace(_NUL, "/") for name, text in values}


class Resource:
    """The endpoints of one path, as the ASGI application of its route. Raises `ProblemError`."""

    def __init__(self, methods: Methods, run: RunEndpoint, cors: Cors) -> None:
        self._methods = methods
        self._allowed = ", ".join(allowed(methods))
        self._run = run
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        EncodedSlashes.restore(scope)
        request = GatewayRequest.of(scope)
        response = self._cors.preflight(request, self._allowed)
        if response is None:
            endpoint = endpoint_for(request.method, self._methods)
            check_fields(request)
            response = response_of(await self._run(endpoint, request))
        await response(scope, receive, send)


def routes_of(endpoints: Iterable[Endpoint], run: RunEndpoint, cors: Cors) -> list[Route]:
    """Return a route for each path, in the order in which the paths are declared."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [Route(path, Resource(methods, run, cors)) for path, methods in by_path.items()]


def check_fields(request: GatewayRequest) -> None:
    """Raises `ProblemError` for fields that change what is asked and cannot be obeyed."""
    if repeated := request.repeated_singleton:
        raise ProblemError("malformed-request", f"There must be one {repeated} field.")
    headers, is_safe = request.headers, request.method in SAFE
    if_match = headers.get("if-match")
    # Nothing here has an entity tag, so what asks for one is false (RFC 9110, 13.1).
    if (if_match is not None and not (is_safe and if_match.strip(" \t") == "*")) or (
        not is_safe and headers.get("if-none-match", "").strip(" \t") == "*"
    ):
        raise ProblemError("precondition-failed")
