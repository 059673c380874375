"""Looking for a text in every place where the system keeps or says something, in every disguise."""

import base64
import html
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from contracts.physical_topics import physical_topics
from tests.support.stack import Stack

READ: dict[str, tuple[Any, ...]] = {
    "string": ("GET",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1),
    "hash": ("HGETALL",),
    "stream": ("XRANGE", "-", "+"),
    "none": ("GET",),  # it has expired meanwhile
}


NO_TEXT = (int, float, datetime, UUID)
HALF_WRITTEN = 1_024
ROWS_AT_ONCE = 1_000
KEYS_AT_ONCE = 500


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


class Haystack:
    """Many pieces as one text: it is looked through at once, and only a find piece by piece."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        encoded = (piece.content for piece in pieces if b"%" in piece.content)
        self._texts = (
            b"\n".join(piece.content for piece in pieces),
            unquote_to_bytes(b"\n".join(encoded)),
        )

    def places_of(self, text: str) -> list[str]:
        """As the function of this name says."""
        there = any(each in content for each in disguises(text) for content in self._texts)
        return places_of(text, self.pieces) if there else []


async def everything(stack: Stack) -> list[Piece]:
    """All that can be found, but for the inbox's mails: they are for the recipient."""
    return [piece async for piece in one_by_one(stack)]


async def one_by_one(stack: Stack) -> AsyncIterator[Piece]:
    """The same, for more than fits into memory."""
    for topic in physical_topics():
        for record in await stack.records(topic.name):
            for piece in of_record(record):
                yield piece
    for folder in ("logs", "valkey"):
        for piece in Tail(stack, folder).added():
            yield piece
    for part in (in_tables(stack), in_cache(stack), in_metrics(stack)):
        async for piece in part:
            yield piece


def of_record(record: Any) -> Iterator[Piece]:
    """Of a topic."""
    place = f"topic {record.topic} {record.partition} {record.offset}"
    yield Piece(f"{place} key", record.key or b"")
    yield Piece(f"{place} value", record.value or b"")
    headers = (name.encode() + b": " + (value or b"") for name, value in record.headers)
    yield Piece(f"{place} header", b"\n".join(headers))


@dataclass
class Tail:
    """What was added to the files of a folder, whatever they are called meanwhile."""

    stack: Stack
    folder: str
    _read: dict[int, int] = field(default_factory=dict)

    def added(self) -> Iterator[Piece]:
        """Since it was last asked, and a little before that: a text may have been half written."""
        place = {"logs": "log", "valkey": "cache file"}[self.folder]
        for path in sorted((self.stack.data / self.folder).rglob("*")):
            with suppress(FileNotFoundError, IsADirectoryError):
                content = self._more_of(path)
                if content:
                    yield Piece(f"{place} {path.name}", content)

    def _more_of(self, path: Path) -> bytes:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            begin = self._read.get(about.st_ino, 0)
            file.seek(begin if begin <= about.st_size else 0)
            content = file.read()
            self._read[about.st_ino] = max(0, file.tell() - HALF_WRITTEN)
            return content


async def in_tables(stack: Stack) -> AsyncIterator[Piece]:
    """Every column of every table."""
    async with stack.postgres() as conn:
        async for table, row in rows(conn):
            for piece in of_row(table, row):
                yield piece


async def rows(conn: Any, since: int | None = None) -> AsyncIterator[tuple[str, asyncpg.Record]]:
    """Every row of every table; only those that were written since, by a transaction's number."""
    tables = await conn.fetch(
        """
        SELECT oid::regclass::text AS name FROM pg_class
         WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace
        """
    )
    written = "" if since is None else f"WHERE age(xmin) <= age('{since}'::xid)"
    queries = {table["name"]: f"SELECT * FROM {table['name']} {written}" for table in tables}
    queries["pg_stat_activity"] = "SELECT * FROM pg_stat_activity"
    for name, query in queries.items():
        async with conn.transaction():
            async for row in conn.cursor(query, prefetch=ROWS_AT_ONCE):
                yield name, row


def of_row(table: str, row: asyncpg.Record) -> Iterator[Piece]:
    """`bytea` as its bytes, everything else as its text, if it can hold one."""
    for column, value in row.items():
        if value is None or isinstance(value, NO_TEXT):
            continue
        content = value if isinstance(value, bytes) else str(value).encode()
        yield Piece(f"table {table} {column}", content)


async def in_cache(stack: Stack) -> AsyncIterator[Piece]:
    """Every key of every type."""
    client: Any = Redis.from_url(stack.urls["redis"]["url"])
    async with client as redis:
        assert set(await redis.info("keyspace")) <= {"db0"}
        found = [key async for key in redis.scan_iter(count=1_000)]
        while found:
            keys, found = found[:KEYS_AT_ONCE], found[KEYS_AT_ONCE:]
            kinds = redis.pipeline(transaction=False)
            for key in keys:
                kinds.type(key)
            contents = redis.pipeline(transaction=False)
            for key, kind in zip(keys, await kinds.execute(), strict=True):
                command, *arguments = READ[kind.decode()]
                contents.execute_command(command, key, *arguments)
            answers = await contents.execute(raise_on_error=False)
            for key, answer in zip(keys, answers, strict=True):
                if isinstance(answer, ResponseError):  # it has become of another type meanwhile
                    found.append(key)
                    continue
                yield Piece("cache key", key)
                for content in _texts(answer):
                    yield Piece(f"cache {key.decode(errors='replace')}", content)


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
    """Of every process that is there just now."""
    async with httpx.AsyncClient(timeout=60) as http:
        for process in stack.urls["processes"]:
            if process["health_url"]:
                url = httpx.URL(process["health_url"]).copy_with(path="/metrics")
                with suppress(httpx.TransportError):
                    yield Piece(f"metrics {process['name']}", (await http.get(url)).content)
