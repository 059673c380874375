"""A client of the stream: keeps its position and every event, connection by connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import jwt

from tests.support.stack import Stack, User
from tests.support.waiting import eventually

STREAM = "/api/v1/stream"
TICKET = "/api/v1/stream/ticket"


@dataclass(frozen=True)
class StreamMessage:
    """One event of a stream."""

    kind: str
    data: Any


@dataclass
class Connection:
    """One answer of the stream, as far as it came."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    reported: list[StreamMessage] = field(default_factory=list)
    retry: int | None = None

    def of(self, kind: str) -> list[Any]:
        return [each.data for each in self.reported if each.kind == kind]


@dataclass
class Client:
    """Comes back with the position it had."""

    user: User
    position: str = ""
    connections: list[Connection] = field(default_factory=list)

    @property
    def own(self) -> list[Any]:
        return [data for connection in self.connections for data in connection.of("own")]

    async def listen(self, url: str) -> None:
        """Until the stream ends or we are cancelled."""
        headers = self.user.headers | ({"Last-Event-ID": self.position} if self.position else {})
        connection = Connection()
        self.connections.append(connection)
        timeout = httpx.Timeout(30, read=40)
        async with (
            httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False) as http,
            http.stream("GET", STREAM, headers=headers) as answer,
        ):
            connection.status, connection.headers = answer.status_code, answer.headers
            kind, data = "", ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                match name:
                    case "id":
                        self.position = value
                    case "event":
                        kind = value
                    case "data":
                        data = value
                    case "retry":
                        connection.retry = int(value)
                    case "" if data:
                        connection.reported.append(StreamMessage(kind, json.loads(data)))
                        kind, data = "", ""


@asynccontextmanager
async def listening(client: Client, url: str) -> AsyncIterator[asyncio.Task[None]]:
    """Connected, with a snapshot; cut off afterwards."""
    before = len(client.connections)
    task = asyncio.create_task(client.listen(url))

    async def connected() -> bool:
        now = client.connections[before:]
        if task.done():
            task.result()
            # A stream that was refused is none that ended: who waits for its end would see nothing.
            assert now[0].status == 200, now[0].status
            return True
        return bool(now and now[0].of("snapshot"))

    try:
        await eventually(connected, seconds=120, what="a snapshot")
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, httpx.TransportError):
            await task


def user_id(user: User) -> str:
    return str(jwt.decode(user.access_token, options={"verify_signature": False})["sub"])


async def published(stack: Stack, user: User, topic: str) -> list[UUID]:
    """The ids of a user's events in a topic, in the order of their first appearance."""
    key = user_id(user).encode()
    ids = [
        UUID(dict(record.headers)["ce_id"].decode())
        for record in await stack.records(topic)
        if record.key == key
    ]
    return list(dict.fromkeys(ids))


def ids_of(reported: list[Any], kind: str) -> list[UUID]:
    """Of the own events whose type begins so."""
    return [UUID(each["id"]) for each in reported if each["type"].startswith(kind)]


async def publish_prices(stack: Stack, symbol: str, prices: range) -> None:
    """As the quotes worker leaves them: one event for each price, a second apart."""
    rows = []
    for price in prices:
        minute, second = divmod(price, 60)
        as_of = f"2031-01-01T{minute // 60:02}:{minute % 60:02}:{second:02}Z"
        data = {"symbol": symbol, "price": str(price), "currency": "EUR", "as_of": as_of}
        rows.append((symbol, json.dumps(data | {"source": "test"})))
    async with stack.postgres() as conn, conn.transaction():
        for symbol_, payload in rows:
            await conn.execute(
                """
                INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
                SELECT id, 'quotes', $1, $3, $2,
                       jsonb_build_object(
                           'ce_specversion', '1.0', 'ce_id', id::text, 'ce_source', 'urn:qnt9:test',
                           'ce_type', $3::text, 'ce_time', now(),
                           'ce_dataschema', 'urn:qnt9:schema:' || $3::text,
                           'ce_subject', $1::text, 'content-type', 'application/json'
                       )
                  FROM (SELECT uuidv7() AS id) AS fresh
                """,
                symbol_,
                payload,
                "qnt9.quote.updated.v1",
            )
