"""What every response carries, whatever it answers, and how a stream ends."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.http import response as responses
from gateway.http.endpoints import Answer
from gateway.http.middleware import HeadersMiddleware, ProblemMiddleware
from gateway.http.request import GatewayRequest
from gateway.http.response import EventStream, response_of, security_headers
from gateway.problems import ProblemError
from infra.http.scope import ABORT
from tests.support.waiting import until

Sent = dict[str, list[str]]
Headers = tuple[tuple[bytes, bytes], ...]


class OneOrigin:
    """Says the same to every origin."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def headers(self, _: GatewayRequest) -> Headers:
        return self._headers


async def nothing() -> Message:
    raise AssertionError("there is no body to read")


async def sent(answer: Answer | ProblemError, *, https: bool = True, cors: Headers = ()) -> Sent:
    """The headers of a response, each with its values."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(answer, ProblemError):
            raise answer
        await response_of(answer)(scope, receive, send)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    request = GatewayRequest(scope, nothing, "an-id")
    request.limits = (("RateLimit", '"read";r=1;t=2'),)
    draining = asyncio.Event()
    shared: Any = OneOrigin(cors)
    app = HeadersMiddleware(
        ProblemMiddleware(route, draining=draining),
        security=security_headers(https=https),
        cors=shared,
        draining=draining,
    )
    await app(scope, nothing, send)
    headers: Sent = {}
    for name, value in messages[0]["headers"]:
        headers.setdefault(name.decode(), []).append(value.decode())
    return headers


@pytest.mark.parametrize("answer", [Answer(200, {}), Answer(204), ProblemError("not-found")])
async def test_every_response_is_guarded(answer: Answer | ProblemError) -> None:
    headers = await sent(answer, cors=((b"vary", b"Origin"),))
    assert headers["x-content-type-options"] == ["nosniff"]
    assert headers["x-frame-options"] == ["DENY"]
    assert headers["referrer-policy"] == ["no-referrer"]
    assert headers["cross-origin-opener-policy"] == ["same-origin"]
    assert headers["cross-origin-resource-policy"] == ["same-origin"]
    assert "camera=()" in headers["permissions-policy"][0]
    assert headers["strict-transport-security"] == ["max-age=63072000; includeSubDomains"]
    assert headers["x-request-id"] == ["an-id"]
    assert headers["ratelimit"] == ['"read";r=1;t=2']
    assert headers["vary"] == ["Origin"]


async def test_https_is_demanded_outside_development_alone() -> None:
    assert "strict-transport-security" not in await sent(Answer(200, {}), https=False)


async def test_what_a_route_says_itself_counts() -> None:
    headers = await sent(Answer(200, {}, (("Cache-Control", "public, max-age=300"),)))
    assert headers["cache-control"] == ["public, max-age=300"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ProblemError("rate-limited", headers={"Retry-After": "17"}), ["17"]),
        (ProblemError("rate-limited"), ["1"]),
        (ProblemError("try-again"), ["2"]),
    ],
)
async def test_one_retry_after_and_the_nearest_to_the_case(
    error: ProblemError, seconds: list[str]
) -> None:
    assert (await sent(error))["retry-after"] == seconds


class Stream:
    """A streamed answer, and a client that takes it or not."""

    def __init__(self, frames: list[bytes], *, endless: bool = False, taking: bool = True) -> None:
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.closed = 0
        self._frames, self._endless, self._taking = frames, endless, taking

    async def play(self) -> None:
        scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": []}
        scope |= {"asgi": {"spec_version": "2.3"}, "extensions": {ABORT: self.gone.set}}
        await EventStream(self._generate(), self._close)(scope, self._receive, self._send)

    async def _generate(self) -> AsyncGenerator[bytes, None]:
        for frame in self._frames:
            yield frame
        if self._endless:
            await asyncio.Event().wait()

    async def _send(self, message: Message) -> None:
        if message.get("body") and not self._taking:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def _close(self) -> None:
        self.closed += 1


async def test_a_stream_is_sent_frame_by_frame_and_ended() -> None:
    stream = Stream([b"a", b"b"])
    await stream.play()
    assert [m.get("body") for m in stream.sent] == [None, b"a", b"b", b""]
    headers = dict(stream.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream"
    assert b"content-length" not in headers
    assert not stream.sent[-1].get("more_body")
    assert stream.closed == 1


async def test_a_stream_is_closed_when_its_client_leaves() -> None:
    stream = Stream([b"a"], endless=True)
    playing = asyncio.create_task(stream.play())
    await until(lambda: len(stream.sent) == 2)
    stream.gone.set()
    await playing
    assert stream.closed == 1


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "SEND_SECONDS", 0.01)
    stream = Stream([b"a"], endless=True, taking=False)
    await stream.play()
    assert stream.gone.is_set()
    assert stream.closed == 1
