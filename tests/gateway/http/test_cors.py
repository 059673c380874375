"""What pages of other origins may send and read."""

from starlette.types import Message

from gateway.http.cors import Cors
from gateway.http.request import GatewayRequest
from gateway.v1.browser_sessions import ENDPOINTS

PAGE = "https://app.example.com"
SESSION = {endpoint.path for endpoint in ENDPOINTS}
CORS = Cors([PAGE], SESSION)


async def nothing() -> Message:
    raise AssertionError("there is no body to read")


def said(path: str, origin: str = PAGE) -> dict[bytes, bytes]:
    headers = [(b"origin", origin.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    return dict(CORS.headers(GatewayRequest(scope, nothing)))


def test_credentials_are_allowed_on_the_routes_of_the_cookie_only() -> None:
    for path in SESSION:
        assert said(path)[b"access-control-allow-credentials"] == b"true"
        assert said(path)[b"access-control-allow-origin"] == PAGE.encode()
    for path in ("/api/v1/auth/refresh", "/api/v1/watchlist", "/api/v1/auth/session/"):
        assert b"access-control-allow-credentials" not in said(path)


def test_other_origins_are_told_nothing() -> None:
    for path in SESSION:
        assert said(path, "https://evil.example.com") == {b"vary": b"Origin"}
