"""A small HTTP server inside a process of ours: it listens on entry and has drained on exit."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from infra.http.bounds import Bounds, ClientKey
from infra.http.connection import HttpConnection
from infra.http.connections import Connections
from infra.http.refusals import Render, as_text

DRAIN_SECONDS = 1


class _Server(uvicorn.Server):
    """Leaves the signals to its process: uvicorn would raise SIGTERM again after it drained."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def http_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    name: str = "http",
    bounds: Bounds | None = None,
    client_key: ClientKey = lambda peer: peer,
    render: Render = as_text,
    protocol: type[asyncio.Protocol] | None = None,
) -> AsyncIterator[str]:
    """Serve the app within bounds; yields its base URL, with the port that 0 has become.

    `name`: the server's in metrics. `render`: what clients are answered whose requests never
    reach the app. `protocol`: another of uvicorn's kind, without bounds, for a stand-in's faults.
    """
    connections = Connections(bounds or Bounds(), name=name, client_key=client_key)

    def accept(*, server_state: ServerState, **_: Any) -> HttpConnection:
        return HttpConnection(app, server_state, connections, render)

    config = uvicorn.Config(
        app,
        http=protocol or accept,  # type: ignore[arg-type]  # uvicorn only calls it
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about a client's address is for the application to say.
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listener:
        # Accepted connections inherit it: without, head and body of an answer lie 40 ms apart.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sweeping = asyncio.create_task(connections.sweep())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        try:
            displayed = f"[{host}]" if family is socket.AF_INET6 else host
            yield f"http://{displayed}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            sweeping.cancel()
