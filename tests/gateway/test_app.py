"""What the edge answers whatever becomes of a handler."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.types import Message

from gateway.app import Application
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from tests.support.gateway.deps import deps_of


async def cancelled(_: Call, __: object) -> Answer:
    """As a wait ends whose future somebody else has cancelled."""
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    future.cancel()
    return await future


async def broken(_: Call, __: object) -> Answer:
    raise RuntimeError


async def fine(_: Call, __: object) -> Answer:
    return Answer(200, {"fine": True})


async def answer_to(
    method: str, handler: Callable[[Call, object], Awaitable[Answer]], *, draining: bool = False
) -> tuple[int, dict[bytes, bytes], Any]:
    """Status, headers and body that leave for a request to this handler."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    shutdown = SimpleNamespace(draining=asyncio.Event())
    deps = deps_of(shutdown=shutdown)

    async def handle(call: Call, deps: object) -> Answer:
        if draining:
            shutdown.draining.set()
        return await handler(call, deps)

    declared = "GET" if method == "HEAD" else method
    endpoint = Endpoint(declared, "/x", handle, "A test", {200: None})
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/x"}
    scope |= {"headers": [], "client": None}
    await Application(deps, [endpoint], [])(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), orjson.loads(sent[1]["body"])


@pytest.mark.parametrize(
    ("method", "handler", "draining", "code"),
    [
        ("GET", cancelled, False, "try-again"),
        ("HEAD", cancelled, False, "try-again"),
        ("GET", cancelled, True, "draining"),
        ("PUT", cancelled, False, "indeterminate"),
        ("PUT", cancelled, True, "indeterminate"),
        ("PUT", broken, False, "internal-error"),
    ],
)
async def test_handler_that_ends_badly_is_answered_with_a_problem(
    method: str, handler: Callable[[Call, object], Awaitable[Answer]], *, draining: bool, code: str
) -> None:
    status, headers, body = await answer_to(method, handler, draining=draining)
    assert (status, body["code"]) == (body["status"], code)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert (b"retry-after" in headers) == (status == 503)


async def test_head_has_the_status_and_headers_of_get() -> None:
    get, head = await answer_to("GET", fine), await answer_to("HEAD", fine)
    assert get[0] == head[0] == 200
    assert get[1].keys() == head[1].keys()
    assert get[1][b"content-length"] == head[1][b"content-length"]
