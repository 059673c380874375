"""Each field, method, framing rule and query parameter that the gateway reads, by its grammar."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.http.endpoints import allowed, endpoint_for
from gateway.http.public_port import ProblemRenderer
from gateway.http.response import security_headers
from gateway.problems import ProblemError
from gateway.routes import ENDPOINTS
from infra.runtime.http_server import http_server
from tests.support.gateway.connection_cases import OF_CONNECTIONS
from tests.support.gateway.field_cases import CASES, READ


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("taken")(scope, receive, send)


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    render = ProblemRenderer(security_headers(https=False))
    async with http_server(app, "127.0.0.1", 0, render=render) as url:
        yield int(url.rpartition(":")[2])


async def status_of(port: int, *pieces: bytes) -> int:
    """The status of the first final answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            line = await reader.readline()
            while line.startswith(b"HTTP/1.1 100"):
                await reader.readuntil(b"\r\n\r\n")
                line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize("name", [*CASES, *OF_CONNECTIONS])
async def test_each_field_is_read_by_its_grammar(port: int, name: str) -> None:
    found = [(given, READ[name](given), expected) for given, expected in CASES.get(name, ())]
    for sent, status in OF_CONNECTIONS.get(name, ()):
        found.append((sent[:80], await status_of(port, sent), status))
        if len(sent) < 200:  # however the bytes arrive
            halves = sent[: len(sent) // 2], sent[len(sent) // 2 :]
            found.append((halves, await status_of(port, *halves), status))
    assert [case for case in found if case[1] != case[2]] == []


def test_head_is_answered_where_get_is_but_for_the_stream() -> None:
    for endpoint in ENDPOINTS:
        methods = {e.method: e for e in ENDPOINTS if e.path == endpoint.path}
        if "GET" in methods and not methods["GET"].is_stream:
            assert endpoint_for("HEAD", methods) is methods["GET"]
            assert "HEAD" in allowed(methods)
        else:
            with pytest.raises(ProblemError) as error:
                endpoint_for("HEAD", methods)
            assert "HEAD" not in error.value.headers["Allow"].split(", ")
