"""The sending half of one request: adds what every response carries, once."""

import asyncio
import contextlib
from collections.abc import Sequence

from starlette.types import Message, Send

from gateway.http.endpoints import Answer, Streamed
from gateway.http.problems import PROBLEM_JSON, ProblemError
from gateway.http.request import Request

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
SEND_SECONDS = 10.0
"""How long a client may take nothing of a stream before it is cut off."""

_TWO_YEARS = b"max-age=63072000; includeSubDomains"
_HSTS = (b"strict-transport-security", _TWO_YEARS)


def security_headers(*, https: bool) -> Headers:
    """What every response carries unless it says otherwise itself."""
    return (*_ALWAYS, _HSTS) if https else _ALWAYS


class ResponseWriter:
    """One response, begun once."""

    def __init__(
        self,
        send: Send,
        request_id: str,
        correlation_id: str,
        draining: asyncio.Event,
        *,
        security: Headers,
        cors: Headers,
    ) -> None:
        self._send = send
        self._draining = draining
        self._security = security
        self._cors = cors
        self.request_id = request_id
        """The client's, said in the response and nowhere else."""
        self.correlation_id = correlation_id
        self.route = "unknown"
        self.status = 0
        self.limits: Sequence[tuple[str, str]] = ()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            present = {name for name, _ in headers}
            headers.append((b"x-request-id", self.request_id.encode()))
            headers += [header for header in self._security if header[0] not in present]
            headers += self._cors
            if self._draining.is_set():
                headers.append((b"connection", b"close"))
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        content = answer.content()
        given = (*answer.headers, *self.limits)
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in given]
        if content:
            headers.append((b"content-type", answer.media_type.encode()))
        if answer.status != 204:
            headers.append((b"content-length", str(len(content)).encode()))
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": content})

    async def stream(self, streamed: Streamed, request: Request) -> None:
        """Until the frames end, the client leaves, or takes none of them any more."""
        sending = asyncio.ensure_future(self._frames(streamed))
        gone = asyncio.ensure_future(request.gone())
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except TimeoutError:
            request.abort()
            await gone
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.wait({sending, gone})
            streamed.close()

    async def _frames(self, streamed: Streamed) -> None:
        """Raises `TimeoutError` for a client that takes nothing."""
        given = (*streamed.headers, *self.limits, ("content-type", streamed.media_type))
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in given]
        async with contextlib.aclosing(streamed.frames) as frames:
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
            async for frame in frames:
                async with asyncio.timeout(SEND_SECONDS):
                    await self.send(
                        {"type": "http.response.body", "body": frame, "more_body": True}
                    )
        async with asyncio.timeout(SEND_SECONDS):
            await self.send({"type": "http.response.body", "body": b""})

    async def problem(self, error: ProblemError) -> None:
        if self.status:
            return  # the response has begun; the server closes the connection
        headers = dict(error.headers)
        if error.problem.retry_after is not None:
            headers.setdefault("Retry-After", str(error.problem.retry_after))
        body = error.body(self.request_id)
        answer = Answer(error.problem.status, body, tuple(headers.items()), PROBLEM_JSON)
        await self.answer(answer)
