"""The page and the JSON over the mailbox. Mail is hostile content: it is shown in a sandbox."""

import re
import secrets
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup, escape
from prometheus_client import Gauge
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from devstack.inbox.mailbox import Mailbox
from devstack.inbox.message import Message
from infra.runtime.health import Health

MESSAGES: Final = Gauge("qnt9_inbox_messages", "Mails held at present")
DISPLAYED_ON_PAGE: Final = 200
_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_OPEN_IN_NEW_TAB = '<base target="_blank">'

_PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def inbox_app(mailbox: Mailbox, health: Health) -> Starlette:
    MESSAGES.set_function(lambda: float(len(mailbox)))
    views = _Views(mailbox)
    return Starlette(
        routes=[
            Route("/", views.page),
            Route("/messages/{id}", views.message_page),
            Route("/messages/{id}/html", views.message_html),
            Route("/api/v1/messages", views.list_messages, methods=["GET"]),
            Route("/api/v1/messages", views.delete_messages, methods=["DELETE"]),
            Route("/api/v1/messages/{id}", views.get_message),
            *health.routes(),
        ],
        exception_handlers={HTTPException: _problem},
    )


class _Views:
    """Plain functions, so that Starlette runs them in threads: they read files."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["linked"] = linked

    def page(self, request: Request) -> Response:
        to = request.query_params.get("to", "").strip()
        messages = self._mailbox.messages(to or None, DISPLAYED_ON_PAGE)
        return self._html("list.html", messages=messages, held=len(self._mailbox), to=to)

    def message_page(self, request: Request) -> Response:
        return self._html("message.html", message=self._asked_for(request))

    def message_html(self, request: Request) -> Response:
        html = _opening_links_outside(self._asked_for(request).html)
        return HTMLResponse(html, headers=_ALWAYS | {"Content-Security-Policy": _MAIL_POLICY})

    def list_messages(self, request: Request) -> Response:
        messages = self._mailbox.messages(request.query_params.get("to"), _limit(request))
        return JSONResponse({"messages": [m.as_json() for m in messages]}, headers=_ALWAYS)

    def get_message(self, request: Request) -> Response:
        return JSONResponse(self._asked_for(request).as_json(), headers=_ALWAYS)

    def delete_messages(self, _: Request) -> Response:
        self._mailbox.clear()
        return Response(status_code=204)

    def _asked_for(self, request: Request) -> Message:
        message = self._mailbox.message(request.path_params["id"])
        if message is None:
            raise HTTPException(404, "No such message")
        return message

    def _html(self, template: str, **values: object) -> Response:
        nonce = secrets.token_urlsafe(16)
        html = self._templates.get_template(template).render(nonce=nonce, **values)
        security = {"Content-Security-Policy": _PAGE_POLICY.format(nonce=nonce)}
        return HTMLResponse(html, headers=_ALWAYS | security)


def linked(text: str) -> Markup:
    """The text, escaped, its web addresses made links."""
    parts: list[Markup] = []
    end = 0
    for match in _LINK.finditer(text):
        link = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>')
        parts += [escape(text[end : match.start()]), link.format(match.group())]
        end = match.end()
    return Markup().join([*parts, escape(text[end:])])


def _opening_links_outside(html: str) -> str:
    """Inside the frame a link would be refused by most pages: they open beside it."""
    if head := _HEAD.search(html):
        return html[: head.end()] + _OPEN_IN_NEW_TAB + html[head.end() :]
    return f"<!doctype html><meta charset=utf-8>{_OPEN_IN_NEW_TAB}{html}"


def _limit(request: Request) -> int | None:
    limit = request.query_params.get("limit")
    if limit is None:
        return None
    if not limit.isascii() or not limit.isdigit() or int(limit[:9]) < 1:
        raise HTTPException(422, "limit must be a whole number from 1")
    return int(limit[:9])


def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"type": "about:blank", "title": error.detail, "status": error.status_code},
        error.status_code,
        headers={**_ALWAYS, **(error.headers or {})},
        media_type="application/problem+json",
    )
