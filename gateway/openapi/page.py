"""`/openapi.json`, and the same at `/docs` for people: Swagger UI, in which a request can be tried.

Swagger UI is kept in this repository (`static/swagger-ui/vendored.json` says which), so the page
loads nothing from elsewhere.
"""

import json
from importlib.resources import files

from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint, Handler

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOR_EVER = ("Cache-Control", "public, max-age=31536000, immutable")
"""For files whose path has their version."""

_STATIC = files("gateway.http") / "static"
_VENDORED = _STATIC / "swagger-ui"
_VERSION: str = json.loads((_VENDORED / "vendored.json").read_text("utf-8"))["version"]
_PAGE = (_STATIC / "docs.html").read_text("utf-8").replace("VERSION", _VERSION).encode()
_HTML, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"


async def openapi(_: Call, deps: GatewayDeps) -> Answer:
    return Answer(200, deps.openapi)


def _always(answer: Answer) -> Handler:
    async def handler(_: Call, __: GatewayDeps) -> Answer:
        return answer

    return handler


def _vendored(name: str, media_type: str) -> Endpoint:
    """One of Swagger UI's files, which never changes under its path."""
    answer = Answer(200, (_VENDORED / name).read_bytes(), (_FOR_EVER,), media_type)
    path = f"/static/swagger-ui/{_VERSION}/{name}"
    return Endpoint("GET", path, _always(answer), "Of the page of the contract", {200: None})


_DOCS = Answer(200, _PAGE, (("Content-Security-Policy", _CSP),), _HTML)
_DOCS_SCRIPT = Answer(200, (_STATIC / "docs.js").read_bytes(), (), _SCRIPT)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/openapi.json", openapi, "This contract as OpenAPI 3.1", {200: None}),
    Endpoint("GET", "/docs", _always(_DOCS), "This contract, to read and to try", {200: None}),
    Endpoint("GET", "/static/docs.js", _always(_DOCS_SCRIPT), "Its script", {200: None}),
    _vendored("swagger-ui-bundle.js", _SCRIPT),
    _vendored("swagger-ui.css", "text/css; charset=utf-8"),
)
