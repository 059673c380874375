"""What a connection may take of a process: each bound, and that what is within it is served."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from infra.http.bounds import Bounds
from infra.runtime.http_server import http_server
from tests.support.waiting import until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT = Bounds(head_seconds=0.6, body_seconds=0.6, idle_seconds=0.6, write_seconds=0.6)
TRAILERS = b"X-Forwarded-For: 6.6.6.6\r\nX-Request-ID: trailer\r\n"

Pieces = tuple[bytes, ...]


def half_body(size: int = 50_000, *, declared: int = 60_000) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % declared + b"x" * size


class App:
    """Answers how much came, with which headers; counts what it was asked."""

    def __init__(self) -> None:
        self.begun = 0
        self.bytes_each = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        request = Request(scope, receive)
        if scope["path"] == "/large":
            await PlainTextResponse("x" * 4_000_000)(scope, receive, send)
            return
        if scope["path"] == "/unread":
            await PlainTextResponse("unread")(scope, receive, send)
            return
        got = len(await request.body())
        names = [name.decode() for name, _ in scope["headers"]]
        await JSONResponse({"bytes": got, "names": names})(scope, receive, send)


@asynccontextmanager
async def serving(bounds: Bounds = SHORT) -> AsyncIterator[tuple[App, int]]:
    app = App()
    async with http_server(app, "127.0.0.1", 0, name="test", bounds=bounds) as url:
        yield app, int(url.rpartition(":")[2])


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(port: int, *pieces: bytes) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
        yield reader, writer
    finally:
        writer.close()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server ends the connection."""
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ((), b""),
        ((HALF_HEAD,), b"HTTP/1.1 408 "),
        ((b"\r\n",), b"HTTP/1.1 408 "),
        ((half_body(),), b"HTTP/1.1 408 "),
        ((CHUNKED + b"5\r\nab",), b"HTTP/1.1 408 "),
        ((CHUNKED + b"1\r\na\r\n0\r\nX-A: b",), b"HTTP/1.1 408 "),
        ((GET,), b"HTTP/1.1 200 "),
        ((GET, HALF_HEAD), b"HTTP/1.1 200 "),
    ],
)
async def test_connection_that_waits_is_ended(sent: Pieces, answer: bytes) -> None:
    async with serving() as (_, port), connected(port, *sent) as (reader, _):
        assert (await end_of(reader)).startswith(answer)


async def test_client_that_sends_slowly_has_no_more_time_for_it() -> None:
    async with serving() as (_, port), connected(port, HALF_HEAD) as (reader, writer):
        answer = asyncio.create_task(end_of(reader))
        while not answer.done():
            writer.write(b"a")
            await asyncio.wait({answer}, timeout=0.1)
        assert b" 408 " in answer.result()


def closed(reason: str) -> float:
    labels = {"server": "test", "reason": reason}
    return REGISTRY.get_sample_value("qnt9_http_closed_total", labels) or 0.0


async def test_answer_that_no_one_takes_is_cut_off() -> None:
    request, before = GET.replace(b"/ ", b"/large ") * 9, closed("write")
    async with serving() as (_, port), connected(port, request):  # and nothing is read
        await until(lambda: closed("write") > before, seconds=30)


@pytest.mark.parametrize(
    "endless",
    [
        (CHUNKED + b"0\r\n", b"X-Trailer: " + b"a" * 1_000 + b"\r\n"),
        (CHUNKED + b"0\r\n", b"X: y\r\n" * 100),
        (CHUNKED + b"0\r\nX-Trailer: ", b"a" * 1_000),
        (CHUNKED + b"1;", b"a" * 1_000),
        (CHUNKED, b"0" * 1_000),
        (HALF_HEAD, b"a" * 1_000),
        (b"", b"\r\n" * 500),
    ],
)
async def test_what_has_no_end_is_refused(endless: Pieces) -> None:
    async with serving(Bounds()) as (app, port), connected(port, endless[0]) as (reader, writer):
        answer, sent = asyncio.create_task(end_of(reader)), 0
        while not answer.done():
            writer.write(endless[1])
            sent += len(endless[1])
            assert sent < 50_000_000
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0)
        assert (await answer)[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b""}
        assert app.begun <= 1


async def test_endless_chunks_that_no_one_reads_end_the_connection() -> None:
    head = CHUNKED.replace(b"/ ", b"/unread ")
    async with serving(Bounds()) as (_, port), connected(port, head) as (reader, writer):
        answer = asyncio.create_task(end_of(reader))
        for _ in itertools.count():
            if answer.done():
                break
            writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")
            await asyncio.sleep(0)
        assert (await answer).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("together", [True, False])
async def test_trailers_never_become_headers(*, together: bool) -> None:
    body = (b"2\r\nab\r\n0\r\n" + TRAILERS, b"\r\n")
    pieces = (CHUNKED + b"".join(body),) if together else (CHUNKED, *body)
    async with serving() as (_, port), connected(port, *pieces) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        assert b'"bytes":2,"names":["host","transfer-encoding"]' in await end_of(reader)


async def test_pipelined_requests_are_read_one_by_one_and_answered_in_order() -> None:
    requests = b"".join(half_body(n, declared=n) for n in range(200))
    async with serving() as (app, port), connected(port, requests) as (reader, _):
        found = await end_of(reader)
    assert [int(each.split(b",")[0]) for each in found.split(b'"bytes":')[1:]] == [*range(200)]
    assert app.begun == 200


async def test_requests_behind_an_answer_that_is_not_taken_are_not_read() -> None:
    pipelined = GET.replace(b"/ ", b"/large ") * 1_000
    async with serving(Bounds()) as (app, port), connected(port, pipelined):  # and nothing is read
        async with connected(port, GET, HALF_HEAD) as (other, _):
            await other.readuntil(b"}")
        assert app.begun < 10  # as many as the buffers of the kernel take, and the other


async def test_one_client_opens_so_many_connections_and_no_more() -> None:
    bounds = replace(SHORT, idle_seconds=30, head_seconds=30, connections_of_client=3)
    async with (
        serving(bounds) as (_, port),
        connected(port),
        connected(port),
        connected(port),
        connected(port, GET) as (reader, _),
    ):
        assert (await end_of(reader)).startswith(b"HTTP/1.1 429 ")


async def test_idle_connections_make_room_and_busy_ones_do_not() -> None:
    bounds = replace(SHORT, idle_seconds=30, head_seconds=30, connections=2)
    async with serving(bounds) as (_, port), connected(port, GET) as (idle, _):
        await idle.readuntil(b"}")
        async with connected(port, HALF_HEAD), connected(port, GET) as (third, writer):
            await third.readuntil(b"}")
            assert await end_of(idle) == b""
            writer.write(HALF_HEAD)
            await writer.drain()

            async def refused() -> bool:
                async with connected(port, GET) as (fourth, _):
                    return (await fourth.readline()).startswith(b"HTTP/1.1 503 ")

            await until(refused)


async def test_bodies_that_are_not_whole_give_way_to_others() -> None:
    bounds = replace(SHORT, body_seconds=30, buffered_bytes=100_000)
    async with serving(bounds) as (app, port), connected(port, half_body()) as (oldest, _):
        await until(lambda: app.begun == 1)
        async with connected(port, half_body()):
            await until(lambda: app.begun == 2)
            async with connected(port, half_body(60_000)) as (whole, _):
                assert (await whole.readline()).startswith(b"HTTP/1.1 200 ")
        assert (await end_of(oldest)).startswith(b"HTTP/1.1 503 ")
