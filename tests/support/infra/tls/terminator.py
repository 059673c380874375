"""TLS in front of a server that has none: what comes over it is handed on in clear."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext

from devstack.supervisor.ports import LOOPBACK

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""How a client of PostgreSQL asks for TLS, in clear, before anything else."""
FATAL_NO_ENCRYPTION = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"
CHUNK = 65_536

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Begin = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def tls_before(port: int, context: SSLContext) -> AsyncIterator[int]:
    """The port of a server that speaks TLS from the first byte on."""
    async with _forwarding(port, _at_once, context) as listening:
        yield listening


@asynccontextmanager
async def tls_before_postgres(port: int, context: SSLContext) -> AsyncIterator[int]:
    """The port of a PostgreSQL whose pg_hba.conf has `hostssl` lines alone."""

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(8)
        if first != SSL_REQUEST:
            writer.write(
                b"E" + struct.pack("!i", len(FATAL_NO_ENCRYPTION) + 4) + FATAL_NO_ENCRYPTION
            )
            await writer.drain()
            return False
        writer.write(b"S")
        await writer.start_tls(context)
        return True

    async with _forwarding(port, begin, None) as listening:
        yield listening


async def _at_once(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> bool:
    return True


@asynccontextmanager
async def _forwarding(port: int, begin: Begin, context: SSLContext | None) -> AsyncIterator[int]:
    sessions: set[asyncio.Task[None]] = set()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What a client does that refuses us is its affair: reset, abort or alert.
        with suppress(OSError, asyncio.IncompleteReadError):
            if await begin(reader, writer):
                await _hand_on((reader, writer), port)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(session(reader, writer))
        sessions.add(task)
        task.add_done_callback(sessions.discard)

    server = await asyncio.start_server(accept, LOOPBACK, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in sessions:
            each.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


async def _hand_on(client: Streams, port: int) -> None:
    """Both ways until either side goes."""
    server = await asyncio.open_connection(LOOPBACK, port)
    ways = [
        asyncio.create_task(_copy(client[0], server[1])),
        asyncio.create_task(_copy(server[0], client[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in ways:
            each.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        server[1].close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        target.write(data)
        await target.drain()
