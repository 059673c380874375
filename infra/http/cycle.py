"""One request and its response between a connection and an ASGI application."""

import asyncio
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Message, Scope

from infra.http.refusals import CANCELLED, FAILED, Refusal
from infra.http.status_lines import STATUS_LINES

log = structlog.get_logger(__name__)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = (204, 304)
_TEXT = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What a field line may hold: everything but control characters."""


class Link(Protocol):
    """The connection as one request sees it."""

    transport: asyncio.Transport

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """What every response has."""

    blocked: asyncio.Future[None] | None
    """Done when the client takes bytes again; None while it does."""

    @property
    def drains_body(self) -> bool:
        """Whether what has not come of the body is little enough to be read and dropped."""

    def body_wanted(self) -> None:
        """The application waits for more of the body."""

    def answered(self) -> None:
        """The response is complete."""

    def refuse(self, refusal: Refusal) -> None:
        """Answer instead of the application, and close."""


class Cycle:
    """The two ASGI callables, and what is between them and the connection."""

    def __init__(
        self, link: Link, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        self._link = link
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.pieces: list[bytes] = []
        """What has come of the body and was not asked for yet."""
        self.unread = 0
        """How many bytes that is."""
        self.more_body = True
        self.started = False
        self.complete = False
        self.disconnected = False
        self._given = False
        self._head: bytes | None = None
        self._chunked = False
        self._left = 0
        self._news: asyncio.Future[None] | None = None

    @property
    def uncommitted(self) -> bool:
        """Whether the client has not been sent anything of a response."""
        return not self.started or self._head is not None

    async def run(self, app: ASGIApp) -> None:
        """Whatever the application does, the client is answered or its connection closed."""
        refusal = FAILED
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            log.warning("request_cancelled", path=self.scope["path"])
            refusal = CANCELLED
        except Exception:
            log.exception("application_failed", path=self.scope["path"])
        if self.complete or self.disconnected:
            return
        if self.uncommitted:
            self._link.refuse(refusal)
        else:
            self._link.transport.close()  # without its end, what was sent is no whole response

    def wake(self) -> None:
        """There is more of the body, or none will come."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def receive(self) -> Message:
        """The body as it comes; after its end, or instead of it, that the client has left."""
        while not (self.disconnected or self.complete):
            if self.pieces or not (self.more_body or self._given):
                body = b"".join(self.pieces)
                self.pieces.clear()
                self.unread = 0
                self._given = not self.more_body
                return {"type": "http.request", "body": body, "more_body": self.more_body}
            if self.more_body:
                if self.expects_continue:
                    self.expects_continue = False
                    self._link.transport.write(CONTINUE)
                self._link.body_wanted()
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Head and first piece of the body leave together. Waits while the client takes nothing."""
        blocked = self._link.blocked
        if blocked is not None and not self.disconnected:
            await asyncio.shield(blocked)
        if self.disconnected:
            return
        if self.complete:
            raise RuntimeError(f"{message['type']} after a complete response")
        if not self.started:
            if message["type"] != "http.response.start":
                raise RuntimeError(f"{message['type']} before http.response.start")
            self._head = self._response_head(message)
            self.started = True
            return
        more: bool = message.get("more_body", False)
        content = self._framed(message.get("body", b""), more=more)
        if self._head is not None:
            content, self._head = self._head + content, None
        if content:
            self._link.transport.write(content)
        if not more:
            if self._left:
                raise RuntimeError("the response is shorter than its Content-Length")
            self.complete = True
            self.wake()
            self._link.answered()

    def _response_head(self, message: Message) -> bytes:
        status = message["status"]
        lines = [STATUS_LINES[status]]
        closes = framed = False
        for name, value in (*self._link.default_headers, *message.get("headers", ())):
            if name == b"content-length":
                self._left, framed = int(value), True
            elif name == b"connection" and value.lower() == b"close":
                closes = True
            lines.append(b"%b: %b\r\n" % (name, value))
        lines += self._connection_line(closes=closes)
        lines += self._framing_line(status, framed=framed)
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.translate(None, _TEXT) != b"\r\n" * len(lines):
            self._left = 0
            raise RuntimeError("a response header holds control characters")
        return head

    def _connection_line(self, *, closes: bool) -> list[bytes]:
        """Decide whether the connection stays open, and return what the response says of it."""
        if closes or self.expects_continue or not self._link.drains_body:
            # A client without a 100 may send its body now or never: only a close makes that clear.
            self.keep_alive = False
        return [] if self.keep_alive or closes else [b"connection: close\r\n"]

    def _framing_line(self, status: int, *, framed: bool) -> list[bytes]:
        """Decide how the body is framed, and return what the response says of it."""
        if self.scope["method"] == "HEAD":
            self._left = 0
        elif not framed and status not in _BODILESS:
            self._chunked = True
            return [b"transfer-encoding: chunked\r\n"]
        return []

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self.scope["method"] == "HEAD":
            return b""
        if self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return piece if more else piece + b"0\r\n\r\n"
        self._left -= len(body)
        if self._left < 0:
            raise RuntimeError("the response is longer than its Content-Length")
        return body
