"""What the gateway answers whatever becomes of a handler."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.types import Message

from gateway.app import LINGER_SECONDS, Application
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


async def test_application_that_was_never_asked_is_drained_at_once() -> None:
    deps = deps_of(shutdown=SimpleNamespace(draining=asyncio.Event()))
    async with asyncio.timeout(10):
        await Application(deps, [], []).drained(60.0)


async def test_application_is_not_drained_while_a_request_is_in_flight() -> None:
    deps = deps_of(shutdown=SimpleNamespace(draining=asyncio.Event()))
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def handle(_: Call, __: object) -> Answer:
        arrived.set()
        await go_on.wait()
        return Answer(204)

    async def send(_: Message) -> None:
        """Nobody looks."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    app = Application(deps, [Endpoint("GET", "/x", handle, "A test", {204: None})], [])
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/x",
        "headers": [],
        "client": None,
    }
    request = asyncio.create_task(app(scope, receive, send))
    await arrived.wait()
    draining = asyncio.create_task(app.drained(60.0))
    await asyncio.wait({draining}, timeout=LINGER_SECONDS + 0.2)
    assert not draining.done()
    go_on.set()
    async with asyncio.timeout(10):
        await asyncio.gather(request, draining)
