"""Looking for a text in every place where the system keeps or says something, in every disguise."""

import base64
import html
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
from redis.asyncio import Redis

from contracts.topics import physical_topics
from tests.stack import Stack

READ: dict[str, tuple[Any, ...]] = {
    "string": ("GET",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1),
    "hash": ("HGETALL",),
    "stream": ("XRANGE", "-", "+"),
    "none": ("GET",),  # it has expired meanwhile
}


@dataclass(frozen=True)
class Piece:
    """Something that was written somewhere."""

    place: str
    content: bytes


def disguises(text: str) -> set[bytes]:
    """A text in clear and as it looks inside of what was encoded as a whole."""
    raw = text.encode()
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    found = {raw, html.escape(text).encode(), *(each.encode() for each in escaped)}
    found |= {raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).rstrip(b"=")
            # Characters at both ends also depend on what stands next to the text.
            last = len(encoded) - (1 if (before + len(raw)) % 3 else 0)
            found.add(encoded[(0, 2, 3)[before] : last])
    return found


def places_of(text: str, pieces: Iterable[Piece]) -> list[str]:
    """Where the text stands, also where it was URL-encoded, in whichever way."""
    sought = disguises(text)

    def stands_in(content: bytes) -> bool:
        return any(each in content for each in sought)

    return [
        piece.place
        for piece in pieces
        if stands_in(piece.content)
        or (b"%" in piece.content and stands_in(unquote_to_bytes(piece.content)))
    ]


async def everything(stack: Stack) -> list[Piece]:
    """All that can be found, but for the inbox's mails: they are for the recipient."""
    parts = (in_topics(stack), in_logs(stack), in_tables(stack), in_cache(stack), in_metrics(stack))
    return [piece for part in parts for piece in [p async for p in part]]


async def in_topics(stack: Stack) -> AsyncIterator[Piece]:
    for record in await stack.records(*(topic.name for topic in physical_topics())):
        place = f"topic {record.topic} {record.partition} {record.offset}"
        yield Piece(f"{place} key", record.key or b"")
        yield Piece(f"{place} value", record.value or b"")
        for name, value in record.headers:
            yield Piece(f"{place} header", name.encode() + b": " + (value or b""))


async def in_logs(stack: Stack) -> AsyncIterator[Piece]:
    for path in sorted((stack.data / "logs").rglob("*")):
        if path.is_file():
            yield Piece(f"log {path.name}", path.read_bytes())


async def in_tables(stack: Stack) -> AsyncIterator[Piece]:
    """Every column of every table: `bytea` as its bytes, everything else as its text."""
    async with stack.postgres() as conn:
        tables = await conn.fetch(
            """
            SELECT oid::regclass::text AS name FROM pg_class
             WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace
             UNION ALL
            SELECT 'pg_stat_activity'
            """
        )
        for table in tables:
            async with conn.transaction():
                async for row in conn.cursor(f"SELECT * FROM {table['name']}"):
                    for column, value in row.items():
                        place = f"table {table['name']} {column}"
                        content = value if isinstance(value, bytes) else str(value).encode()
                        yield Piece(place, content)


async def in_cache(stack: Stack) -> AsyncIterator[Piece]:
    """Every key of every type, and the file in which they outlive a restart."""
    client: Any = Redis.from_url(stack.urls["redis"]["url"])
    async with client as redis:
        assert set(await redis.info("keyspace")) <= {"db0"}
        async for key in redis.scan_iter(count=1_000):
            yield Piece("cache key", key)
            command, *arguments = READ[(await redis.type(key)).decode()]
            for content in _texts(await redis.execute_command(command, key, *arguments)):
                yield Piece(f"cache {key.decode(errors='replace')}", content)
    for path in sorted((stack.data / "valkey").rglob("*")):
        if path.is_file():
            yield Piece(f"cache file {path.name}", path.read_bytes())


def _texts(answer: Any) -> Iterator[bytes]:
    """Everything in an answer of the cache server, however nested."""
    match answer:
        case bytes():
            yield answer
        case dict():
            yield from _texts([*answer.keys(), *answer.values()])
        case list() | tuple() | set():
            for part in answer:
                yield from _texts(part)


async def in_metrics(stack: Stack) -> AsyncIterator[Piece]:
    async with httpx.AsyncClient() as http:
        for process in stack.status()["processes"]:
            if process["health_url"]:
                url = httpx.URL(process["health_url"]).copy_with(path="/metrics")
                yield Piece(f"metrics {process['name']}", (await http.get(url)).content)
