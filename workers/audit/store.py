"""The SQL of the audit log."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from contracts.personal import PersonalKey
from infra.audit.checkpoints import Head
from infra.postgres.pool import Connection
from workers.audit.rules import Client, Entry


async def hold_keys(conn: Connection, ids: Iterable[str]) -> dict[str, PersonalKey]:
    """The keys that still exist, which nobody destroys before this transaction ends."""
    rows = await conn.fetch("SELECT id, secret FROM hold_personal_keys($1)", list(ids))
    return {row["id"]: PersonalKey(row["id"], row["secret"]) for row in rows}


async def stored(conn: Connection, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """What the log has under these ids; the content is null where a row was removed."""
    rows = await conn.fetch(
        "SELECT event_id, created_at, payload, key, type FROM recorded_events($1)", list(ids)
    )
    return {row["event_id"]: dict(row) for row in rows}


async def insert(conn: Connection, entries: Sequence[tuple[Entry, Client]]) -> None:
    """Each event once. In the order of ids, so that two batches cannot deadlock."""
    await conn.execute(
        """
        INSERT INTO audit_log (
               event_id, created_at, user_id, action, details, ip_address, user_agent, type,
               correlation_id, topic, partition, "offset", key, headers, payload, recorded_at)
        SELECT *
          FROM unnest(
               $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::jsonb[], $6::inet[],
               $7::text[], $8::text[], $9::text[], $10::text[], $11::int[], $12::bigint[],
               $13::bytea[], $14::jsonb[], $15::bytea[], $16::timestamptz[])
            AS event (event_id)
         ORDER BY event_id
            ON CONFLICT DO NOTHING
        """,
        [entry.event_id for entry, _ in entries],
        [entry.created_at for entry, _ in entries],
        [entry.user_id for entry, _ in entries],
        [entry.action for entry, _ in entries],
        [entry.details for entry, _ in entries],
        [client.ip for _, client in entries],
        [client.agent for _, client in entries],
        [entry.type for entry, _ in entries],
        [entry.correlation_id for entry, _ in entries],
        [entry.topic for entry, _ in entries],
        [entry.partition for entry, _ in entries],
        [entry.offset for entry, _ in entries],
        [entry.key for entry, _ in entries],
        [entry.headers for entry, _ in entries],
        [entry.payload for entry, _ in entries],
        [entry.recorded_at for entry, _ in entries],
    )


async def heads(conn: Connection) -> tuple[Head, ...]:
    """Where every chain ends, at one moment."""
    rows = await conn.fetch("SELECT topic, partition, length, hash FROM audit_heads")
    return tuple(sorted(Head(**row) for row in rows))


async def ensure_partitions(conn: Connection) -> None:
    """Create the partitions of the months ahead. Idempotent."""
    await conn.execute("SELECT ensure_partitions('audit_log', 'month', 2)")
