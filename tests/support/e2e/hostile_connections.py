"""Hostile connections to a gateway on this machine, one kind for each: bounded in time and number.

`python -m tests.support.e2e.hostile_connections PORT SECONDS STREAMS TOKEN KIND…` prints, as JSON,
how often each kind connected and what it was answered.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

ADDRESS = "127.0.0.2"
"""Not that of the other clients: connections are counted by address."""
RECONNECT_SECONDS = 0.05
PACE_SECONDS = 0.5
_CHUNK = b"X" * 1_000

Bytes = AsyncIterator[bytes]


async def silent(_: str) -> Bytes:
    await asyncio.Event().wait()
    yield b""


async def half_head(_: str) -> Bytes:
    yield b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "
    while True:
        await asyncio.sleep(PACE_SECONDS)
        yield b"a"


async def half_body(_: str) -> Bytes:
    yield b"POST /api/v1/auth/signin HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    yield b"Content-Length: 60000\r\n\r\n" + b" " * 50_000
    while True:
        await asyncio.sleep(PACE_SECONDS)
        yield b" "


def _chunked(path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"


async def endless_trailers(_: str) -> Bytes:
    yield _chunked("/api/v1/auth/signin") + b"1\r\n{\r\n0\r\n"
    while True:
        yield b"X-Trailer: " + _CHUNK + b"\r\n"


async def endless_chunks(_: str) -> Bytes:
    yield _chunked("/api/v1/auth/signin")
    while True:
        yield b"1\r\n \r\n" * 200


async def unread_pipeline(_: str) -> Bytes:
    while True:
        yield b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 100


async def large_head(_: str) -> Bytes:
    yield b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n"
    await asyncio.Event().wait()


async def many_streams(token: str) -> Bytes:
    head = f"GET /api/v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
    yield head.encode()
    await asyncio.Event().wait()


KINDS: dict[str, Callable[[str], Bytes]] = {
    "silent": silent,
    "half-head": half_head,
    "half-body": half_body,
    "endless-trailers": endless_trailers,
    "endless-chunks": endless_chunks,
    "unread-pipeline": unread_pipeline,
    "large-head": large_head,
    "many-streams": many_streams,
}
UNREAD = ("unread-pipeline",)


async def connect(port: int, kind: str, token: str, seen: Counter[str]) -> None:
    """One connection, until the gateway ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ADDRESS, 0))
    seen["connections"] += 1

    async def send() -> None:
        async for piece in KINDS[kind](token):
            writer.write(piece)
            await writer.drain()

    async def read() -> None:
        first = await reader.readline()
        seen[first.decode("latin-1").strip() or "closed"] += 1
        while await reader.read(65_536):
            pass

    sending = asyncio.create_task(send())
    try:
        if kind in UNREAD:
            await sending
        else:
            await read()
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await sending
        writer.transport.abort()


async def attack(port: int, seconds: float, kind: str, token: str) -> Counter[str]:
    """One connection of a kind after another, as long as that."""
    seen: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            # A time-out that comes as a connection ends is swallowed there, so the clock counts.
            while loop.time() < ends:
                with suppress(OSError):
                    await connect(port, kind, token, seen)
                await asyncio.sleep(RECONNECT_SECONDS)
    return seen


async def flood(port: int, seconds: float, number: int, token: str) -> Counter[str]:
    """So many streams, opened one after another over that time and kept."""
    seen: Counter[str] = Counter()

    async def one(n: int) -> None:
        await asyncio.sleep(0.9 * seconds * n / number)
        with suppress(OSError):
            await connect(port, "many-streams", token, seen)

    streams = [asyncio.create_task(one(n)) for n in range(number)]
    await asyncio.wait(streams, timeout=seconds)
    for stream in streams:
        stream.cancel()
    await asyncio.gather(*streams, return_exceptions=True)
    return seen


async def main(port: int, seconds: float, streams: int, token: str, kinds: list[str]) -> None:
    attacks = [
        flood(port, seconds, streams, token)
        if kind == "many-streams"
        else attack(port, seconds, kind, token)
        for kind in kinds
    ]
    found = await asyncio.gather(*attacks)
    sys.stdout.write(json.dumps(dict(zip(kinds, found, strict=True))))


if __name__ == "__main__":
    port_, seconds_, streams_, token_, *kinds_ = sys.argv[1:]
    asyncio.run(main(int(port_), float(seconds_), int(streams_), token_, kinds_))
