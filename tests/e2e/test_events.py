"""Events on the real parts: outbox → relay → Kafka → audit, each once and in order."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from contracts.envelope import Envelope
from contracts.ids import uuid7
from tests.support.stack import Stack
from tests.support.waiting import eventually

KEYS = 7


async def write(conn: "asyncpg.Connection[asyncpg.Record]", run: str, numbers: range) -> list[UUID]:
    """Events as a worker's transaction leaves them, numbered over a few aggregates."""
    envelopes = [
        Envelope(
            id=uuid7(),
            source="urn:qnt9:test",
            type="qnt9.test.numbered.v1",
            time=datetime.now(UTC),
            correlation_id=run,
        )
        for _ in numbers
    ]
    async with conn.transaction():
        await conn.executemany(
            """
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
            VALUES ($1, 'watchlists', $2, $3, $4, $5::jsonb)
            """,
            [
                (
                    envelope.id,
                    f"{run}-{number % KEYS}",
                    envelope.type,
                    json.dumps({"number": number}),
                    json.dumps({name: value.decode() for name, value in envelope.to_headers()}),
                )
                for number, envelope in zip(numbers, envelopes, strict=True)
            ],
        )
        await conn.execute("SELECT pg_notify('outbox', '')")
    return [envelope.id for envelope in envelopes]


async def recorded(conn: "asyncpg.Connection[asyncpg.Record]", run: str) -> int:
    count: int = await conn.fetchval(
        "SELECT count(*) FROM audit_log WHERE correlation_id = $1", run
    )
    return count


async def assert_in_order(stack: Stack, run: str) -> None:
    """First appearances of each key's numbers, as the topic holds them."""
    numbers: dict[bytes, list[int]] = {}
    for record in await stack.records("watchlists.events"):
        if record.key.startswith(run.encode()):
            number = json.loads(record.value)["number"]
            seen = numbers.setdefault(record.key, [])
            if number not in seen:
                seen.append(number)
    assert len(numbers) == KEYS
    assert all(seen == sorted(seen) for seen in numbers.values())


async def test_an_event_reaches_topic_and_log_soon(stack: Stack) -> None:
    run = uuid7().hex
    async with stack.postgres() as conn:
        [event_id] = await write(conn, run, range(1))

        async def row() -> asyncpg.Record | None:
            return await conn.fetchrow("SELECT * FROM audit_log WHERE event_id = $1", event_id)

        found = await eventually(row, seconds=60, what="the row")
        assert found
        assert (found["action"], found["payload"]) == ("test.numbered", b'{"number": 0}')
        assert (found["recorded_at"] - found["created_at"]).total_seconds() < 5


async def test_events_are_once_in_the_log_and_in_order_whatever_is_killed(stack: Stack) -> None:
    run = uuid7().hex
    ids: list[UUID] = []
    async with stack.postgres() as conn:
        for step, name in enumerate(("relay", "audit", "kafka", "relay")):
            ids += await write(conn, run, range(step * 500, step * 500 + 500))
            await asyncio.to_thread(stack.kill, name)
        ids += await write(conn, run, range(2_000, 2_500))

        async def all_recorded() -> bool:
            return await recorded(conn, run) == len(ids)

        await eventually(all_recorded, seconds=90, what="every event in the log")
        for name in ("kafka", "relay", "audit"):
            await stack.until_ready(name)
        assert await recorded(conn, run) == len(ids)
        found = await conn.fetch("SELECT event_id FROM audit_log WHERE correlation_id = $1", run)
        assert {row["event_id"] for row in found} == set(ids)

        async def all_marked() -> bool:
            """A relay that was killed as it published them does so again."""
            query = "SELECT count(published_at) FROM outbox WHERE id = ANY($1)"
            return bool(await conn.fetchval(query, ids) == len(ids))

        await eventually(all_marked, seconds=120, what="every event marked as published")
    await assert_in_order(stack, run)
