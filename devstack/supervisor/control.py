"""The supervisor's ear: one JSON line asked, one answered, on a socket in the data folder."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import structlog

from devstack.supervisor.layout import Layout

log = structlog.get_logger()

NAME = "control.sock"

_WORKING_DIRECTORY = threading.Lock()

Answer = dict[str, Any]
Respond = Callable[[dict[str, Any]], Awaitable[Answer]]


ANSWER_SECONDS = 20.0
"""A status request is answered within seconds: each part is asked for two at most."""
ACT_SECONDS = 150.0
"""A part that is started or stopped is waited for."""


class NotRunningError(Exception):
    """Nobody listens in this data folder."""


class SilentError(Exception):
    """The supervisor is there and does not answer."""


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


def ask(layout: Layout, request: dict[str, Any], timeout: float = ANSWER_SECONDS) -> Answer:
    """Blocks until the supervisor has answered. Raises `NotRunningError` and `SilentError`."""
    try:
        line = _asked(layout, request, timeout)
    except TimeoutError as error:
        raise SilentError(
            f"the supervisor of {layout.root} does not answer within {timeout:.0f} s; "
            f"see {layout.log_of('supervisor')}"
        ) from error
    except (FileNotFoundError, NotADirectoryError, ConnectionError) as error:
        raise NotRunningError(str(error)) from error
    if not line.endswith(b"\n"):
        raise NotRunningError("the supervisor ended before it answered")
    answer: Answer = json.loads(line)
    return answer


def _asked(layout: Layout, request: dict[str, Any], timeout: float) -> bytes:
    ends = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        with _within(layout):
            client.connect(NAME)
        client.sendall(json.dumps(request).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            client.settimeout(max(ends - time.monotonic(), 0.001))
            if not (part := client.recv(65_536)):
                break
            line += part
    return line


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
    with _WORKING_DIRECTORY, contextlib.chdir(layout.run):
        yield
