"""Starlette's responses for what routes answer, and what every response carries."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.http.endpoints import Answer
from gateway.problems import PROBLEM_JSON, ProblemError
from infra.http.scope import ABORT

Headers = Sequence[tuple[bytes, bytes]]

# A page of ours needs none of these; nobody may frame, embed or sniff what we answer.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_TWO_YEARS = b"max-age=63072000; includeSubDomains"
_HSTS = (b"strict-transport-security", _TWO_YEARS)
SEND_SECONDS = 10.0
"""How long a client may take nothing of a stream before it is cut off."""


def security_headers(*, https: bool) -> Headers:
    """Return what every response carries unless it says otherwise itself."""
    return (*_ALWAYS, _HSTS) if https else _ALWAYS


def response_of(answer: Answer | Response) -> Response:
    """Return Starlette's response for what a route answers."""
    if isinstance(answer, Response):
        return answer
    content = answer.content()
    media_type = answer.media_type if content else None
    return Response(content, answer.status, dict(answer.headers), media_type)


def problem_response(error: ProblemError, request_id: str) -> Response:
    """Return a problem document (RFC 9457)."""
    headers = dict(error.headers)
    if error.problem.retry_after is not None:
        headers.setdefault("Retry-After", str(error.problem.retry_after))
    return Response(error.body(request_id), error.problem.status, headers, PROBLEM_JSON)


class EventStream(StreamingResponse):
    """Frames until they end, the client leaves, or it takes none of them any more.

    `close` is called whatever ends it.
    """

    def __init__(self, frames: AsyncGenerator[bytes, None], close: Callable[[], None]) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
        self.raw_headers.append((b"content-type", b"text/event-stream"))
        self._frames = frames
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except TimeoutError:
            scope["extensions"][ABORT]()
        finally:
            self._close()

    async def stream_response(self, send: Send) -> None:
        """Raises `TimeoutError` for a client that takes nothing."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with aclosing(self._frames) as frames:
            await send(start)
            async for frame in frames:
                await _send_in_time(send, frame, more=True)
        await _send_in_time(send, b"", more=False)


async def _send_in_time(send: Send, frame: bytes, *, more: bool) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": frame, "more_body": more})
