"""The pages behind mailed links: no third party, and nothing happens before a button is pressed."""

from importlib.resources import files

from gateway.http.endpoints import Answer, Call, Endpoint

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _file(name: str, media_type: str) -> Answer:
    content = (files("gateway.http") / "static" / name).read_bytes()
    return Answer(200, content, (("Content-Security-Policy", _CSP),), media_type)


_VERIFY = _file("verify.html", "text/html; charset=utf-8")
_RESET = _file("reset.html", "text/html; charset=utf-8")
_RESET_SCRIPT = _file("reset.js", "text/javascript; charset=utf-8")
_UNDO = _file("undo.html", "text/html; charset=utf-8")
_UNDO_SCRIPT = _file("undo.js", "text/javascript; charset=utf-8")
_SCRIPT = _file("verify.js", "text/javascript; charset=utf-8")
_STYLE = _file("page.css", "text/css; charset=utf-8")


async def verify(_: Call) -> Answer:
    return _VERIFY


async def reset(_: Call) -> Answer:
    return _RESET


async def reset_script(_: Call) -> Answer:
    return _RESET_SCRIPT


async def undo(_: Call) -> Answer:
    return _UNDO


async def undo_script(_: Call) -> Answer:
    return _UNDO_SCRIPT


async def script(_: Call) -> Answer:
    return _SCRIPT


async def style(_: Call) -> Answer:
    return _STYLE


ENDPOINTS = (
    Endpoint("GET", "/verify", verify, "The page of a verification link", {200: None}),
    Endpoint("GET", "/reset", reset, "The page of a link to set a new password", {200: None}),
    Endpoint("GET", "/undo", undo, "The page of a link to undo a change of address", {200: None}),
    Endpoint("GET", "/static/undo.js", undo_script, "Its script", {200: None}),
    Endpoint("GET", "/static/reset.js", reset_script, "Its script", {200: None}),
    Endpoint("GET", "/static/verify.js", script, "Its script", {200: None}),
    Endpoint("GET", "/static/page.css", style, "Its style", {200: None}),
)
