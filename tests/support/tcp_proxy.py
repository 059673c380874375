"""A line to a server that can be cut and mended, while others still reach the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

LOOPBACK = "127.0.0.1"
CHUNK = 64 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class TcpProxy:
    """To the server of a URL; whoever connects while it is cut is dropped at once."""

    far: str
    port: int = 0
    dropped: int = 0
    is_cut: bool = False
    _sessions: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The server, through the proxy."""
        parts = urlsplit(self.far)
        login, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}@{LOOPBACK}:{self.port}"))

    def mend(self) -> None:
        self.is_cut = False

    async def cut(self) -> None:
        """Also for those who are connected."""
        self.is_cut = True
        for each in self._sessions:
            each.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            self.dropped += 1
            writer.transport.abort()
            return
        task = asyncio.create_task(self._carry((reader, writer)))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _carry(self, near: Streams) -> None:
        """Until either side goes."""
        parts = urlsplit(self.far)
        far = await asyncio.open_connection(parts.hostname, parts.port)
        ways = [asyncio.create_task(_copy(*way)) for way in ((near[0], far[1]), (far[0], near[1]))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            for _, writer in (near, far):
                writer.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()


@asynccontextmanager
async def running_proxy(far: str) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(far)
    server = await asyncio.start_server(proxy.accept, LOOPBACK, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut()
