"""The pages behind mailed links: no third party, and nothing happens before a button is pressed."""

from importlib.resources import files

from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _file(name: str, media_type: str) -> Answer:
    content = (files("gateway.http") / "static" / name).read_bytes()
    return Answer(200, content, (("Content-Security-Policy", _CSP),), media_type)


_HTML, _JAVASCRIPT, _CSS = (
    f"{media_type}; charset=utf-8" for media_type in ("text/html", "text/javascript", "text/css")
)


def _endpoint(path: str, name: str, media_type: str, summary: str) -> Endpoint:
    answer = _file(name, media_type)

    async def serve(_: Call, __: object) -> Answer:
        return answer

    return Endpoint("GET", path, serve, summary, {200: None})


ENDPOINTS = (
    _endpoint("/verify", "verify.html", _HTML, "The page of a verification link"),
    _endpoint("/reset", "reset.html", _HTML, "The page of a link to set a new password"),
    _endpoint("/undo", "undo.html", _HTML, "The page of a link to undo a change of address"),
    *(
        _endpoint(f"/static/{name}.js", f"{name}.js", _JAVASCRIPT, "A script of these pages")
        for name in ("mailed_link", "new_password", "verify")
    ),
    _endpoint("/static/page.css", "page.css", _CSS, "Their style"),
)
