"""Bytes on a connection that are no request the gateway takes."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.http.public_port import ProblemRenderer, correlation_id_of
from gateway.http.response import security_headers
from infra.http.bounds import Bounds
from infra.runtime.http_server import http_server

HEAD_BYTES = Bounds().head_bytes
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("taken")(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    render = ProblemRenderer(security_headers(https=False))
    async with http_server(app, "127.0.0.1", 0, render=render) as url:
        yield int(url.rpartition(":")[2])


async def answer_to(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def problem(answer: bytes, status: int) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in head
    found: dict[str, str] = orjson.loads(body)
    assert found["request_id"].encode() in head
    return found["code"]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        GET + b"X-A: one\rX-B: two\r\n\r\n",
        GET + b"X-A: one\nSet-Cookie: a=b\r\r\n\r\n",
        GET + b"X-A: nul\0\r\n\r\n",
        GET + b"X A: b\r\n\r\n",
        GET + b"X-A : b\r\n\r\n",
        GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_malformed_request(port: int, sent: bytes) -> None:
    assert problem(await answer_to(port, sent), 400) == "malformed-request"


@pytest.mark.parametrize(
    "line", [b"X-A: " + b"a" * 2_000 + b"\r\n", b"a" * 2_000, b"X: y\r\n" * 400]
)
async def test_a_head_without_end_is_cut_off(port: int, line: bytes) -> None:
    pieces = [line] * (2 * HEAD_BYTES // len(line))
    assert problem(await answer_to(port, GET, b"X-B: ", *pieces), 431) == "head-too-large"


async def test_large_bodies_and_many_requests_are_no_heads(port: int) -> None:
    body = b"x" * (2 * HEAD_BYTES)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    last = GET + b"Connection: close\r\n\r\n"
    answer = await answer_to(port, post + body, *[GET + b"\r\n"] * 2_000, last)
    assert answer.count(b"taken") == 2_002


@pytest.mark.parametrize("given", ["8E03978E-40d5-43dd-bc93-6894a57f9324", "0123456789abcdef"])
def test_correlation_id_of_meaningless_request_id_is_that_id(given: str) -> None:
    assert correlation_id_of(given, bytes(32)) == given


@pytest.mark.parametrize("given", ["ada.lovelace", "deadbeef", "ada-8e03978e40d543dd", "f" * 65])
def test_correlation_id_of_other_request_ids_is_a_keyed_hmac(given: str) -> None:
    found = correlation_id_of(given, bytes(32))
    assert given not in found
    assert correlation_id_of(found, bytes(32)) == found
    assert correlation_id_of(given, bytes(32)) == found
    assert correlation_id_of(given, bytes([1] * 32)) != found
