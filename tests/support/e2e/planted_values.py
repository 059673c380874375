"""A control, planted wherever a search must find it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.topics import TOPICS, WATCHLISTS_EVENTS
from tests.support.e2e.records import Raw
from tests.support.stack import Stack

KEPT_SECONDS = 3_600
PLANTED = [topic for topic in TOPICS if topic.consumers]
"""Among checkpoints, which no worker reads, it would be one that nobody has signed, for good."""
CONSUMERS = {consumer.principal for topic in TOPICS for consumer in topic.consumers}


async def plant(stack: Stack, control: str) -> None:
    """A marker on every topic, in every worker's log, in the database and in the cache."""
    unreadable = Raw(
        uuid7(), control.encode(), json.dumps({"x": control}).encode(), [(control, None)]
    )
    async with stack.producer() as producer:
        for topic in PLANTED:
            await unreadable.send(producer, topic.name)
    envelope = Envelope(
        id=uuid7(),
        source="urn:qnt9:test",
        type="qnt9.test.control.v1",
        time=datetime.now(UTC),
        correlation_id=control,
    )
    headers = {name: value.decode() for name, value in envelope.to_headers()}
    async with stack.postgres() as conn:
        await conn.execute(
            """
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
            VALUES ($1, $2, $3, $4, $5, $6::jsonb)
            """,
            envelope.id,
            WATCHLISTS_EVENTS.name.partition(".")[0],
            control,
            envelope.type,
            json.dumps({"x": control}),
            json.dumps(headers),
        )
    async with stack.http() as http:
        await http.get("/nowhere", headers={"X-Request-ID": control})
        await http.request("PROPFIND", "/verify")


async def plant_in_cache(stack: Stack, control: str) -> None:
    client: Any = Redis.from_url(stack.urls["redis"]["url"])
    async with client as redis:
        await redis.set(f"{control}:string", control, ex=KEPT_SECONDS)
        await redis.lpush(f"{control}:list", control)
        await redis.sadd(f"{control}:set", control)
        await redis.zadd(f"{control}:zset", {control: 1})
        await redis.hset(f"{control}:hash", "field", control)
        await redis.xadd(f"{control}:stream", {"field": control})
        for kind in ("list", "set", "zset", "hash", "stream"):
            await redis.expire(f"{control}:{kind}", KEPT_SECONDS)


def planted_places(control: str) -> list[str]:
    """How the places begin where both have planted it."""
    return [
        *(f"topic {topic.name} 0" for topic in PLANTED),
        *(f"topic {t.dead_letters(c)} 0" for t in TOPICS for c in t.consumers),
        *(f"log {process}.log" for process in (*CONSUMERS, "gateway")),
        *(f"table outbox_{datetime.now(UTC):%Y%m%d} {c}" for c in ("payload", "headers")),
        *(f"table audit_log_{datetime.now(UTC):%Y%m}01 {c}" for c in ("payload", "headers")),
        *(f"cache {control}:{k}" for k in ("string", "list", "set", "zset", "hash", "stream")),
        "cache key",
        "cache file",
    ]


def not_among(found: Iterable[str], expected: Iterable[str]) -> list[str]:
    """The places that are missing."""
    found = list(found)
    return [place for place in expected if not any(each.startswith(place) for each in found)]
