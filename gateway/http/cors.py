"""Pages of other origins (the Fetch standard): those that are named, with what they may send."""

from collections.abc import Iterable

from starlette.responses import Response

from gateway.http.page_origin import CSRF_HEADER
from gateway.http.request import GatewayRequest

REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Prefer",
    CSRF_HEADER,
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
EXPOSED_HEADERS = (
    "Location",
    "Retry-After",
    "RateLimit-Policy",
    "RateLimit",
    "X-Request-ID",
    "Preference-Applied",
    "Idempotency-Key",
    "WWW-Authenticate",
)
REMEMBERED_SECONDS = 600
_SHARED = ("/api/", "/.well-known/")

_CREDENTIALS = (b"access-control-allow-credentials", b"true")

Headers = tuple[tuple[bytes, bytes], ...]


class Cors:
    """No credentials are allowed but on the `credentialed` paths, which read or set the cookie."""

    def __init__(self, origins: Iterable[str], credentialed: Iterable[str] = ()) -> None:
        self._credentialed = frozenset(credentialed)
        exposed = ", ".join(EXPOSED_HEADERS).encode()
        vary = (b"vary", b"Origin")
        self._named: dict[str, Headers] = {
            origin: (
                vary,
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-expose-headers", exposed),
            )
            for origin in origins
        }
        self._others: Headers = (vary,) if self._named else ()

    def headers(self, request: GatewayRequest) -> Headers:
        """What an answer says to the browser of whoever asked."""
        if not self._named or not request.path.startswith(_SHARED):
            return ()
        named = self._named.get(request.headers.get("origin", ""))
        if named is None:
            return self._others
        return (*named, _CREDENTIALS) if request.path in self._credentialed else named

    def preflight(self, request: GatewayRequest, methods: str) -> Response | None:
        """The answer to a browser that asks first; None for any other request.

        `methods`: those of the path, between commas.
        """
        if (
            request.method != "OPTIONS"
            or "access-control-request-method" not in request.headers
            or request.headers.get("origin") not in self._named
            or not request.path.startswith(_SHARED)
        ):
            return None
        permitted = {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
        }
        return Response(status_code=204, headers=permitted)
