"""The supervisor's ear: one JSON line asked, one answered, on a socket in the data folder."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import structlog

from infra.embedded.layout import Layout

log = structlog.get_logger()

NAME = "control.sock"

_STANDING = threading.Lock()

Answer = dict[str, Any]
Respond = Callable[[dict[str, Any]], Awaitable[Answer]]


class NotRunningError(Exception):
    """Nobody listens in this data folder."""


@contextlib.asynccontextmanager
async def listening(layout: Layout, respond: Respond) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(
        lambda reader, writer: _serve(reader, writer, respond), sock=_bound(layout)
    )
    try:
        yield
    finally:
        server.close()
        (layout.run / NAME).unlink(missing_ok=True)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond
) -> None:
    try:
        if line := await reader.readline():
            try:
                answer = await respond(json.loads(line))
            except Exception as error:
                log.exception("control_request_failed")
                answer = {"ok": False, "error": str(error) or repr(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except ConnectionError:
        pass  # whoever asked has left
    finally:
        writer.close()


def ask(layout: Layout, request: dict[str, Any], timeout: float = 150.0) -> Answer:
    """Blocks until the supervisor has answered."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        try:
            with _within(layout):
                client.connect(NAME)
        except OSError as error:
            raise NotRunningError(str(error)) from error
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("rb") as replies:
            line = replies.readline()
    if not line:
        raise NotRunningError("the supervisor ended before it answered")
    answer: Answer = json.loads(line)
    return answer


def _bound(layout: Layout) -> socket.socket:
    (layout.run / NAME).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    with _within(layout):
        server.bind(NAME)
    (layout.run / NAME).chmod(0o600)
    return server


@contextlib.contextmanager
def _within(layout: Layout) -> Iterator[None]:
    """A socket's path is at most 107 bytes, a data folder's is not: it is named from within.

    Where a process stands is the same for all of its threads, so one at a time.
    """
    with _STANDING, contextlib.chdir(layout.run):
        yield
