"""The SQL of the audit log."""

from collections.abc import Iterable, Sequence

from contracts.personal import PersonalKey
from infra.audit.checkpoints import Head
from infra.postgres.pool import Connection
from infra.received import AnyEvent, Received
from workers.audit.rules import Client, action_of, details_of, storable, user_of


async def hold_keys(conn: Connection, ids: Iterable[str]) -> dict[str, PersonalKey]:
    """The keys that still exist, which nobody destroys before this transaction ends."""
    rows = await conn.fetch("SELECT id, secret FROM hold_personal_keys($1)", list(ids))
    return {row["id"]: PersonalKey(row["id"], row["secret"]) for row in rows}


async def insert(conn: Connection, entries: Sequence[tuple[Received[AnyEvent], Client]]) -> None:
    """Each event once. In the order of ids, so that two batches cannot deadlock."""
    await conn.execute(
        """
        INSERT INTO audit_log (
               event_id, created_at, user_id, action, details, ip_address, user_agent, type,
               correlation_id, topic, partition, "offset", key, headers, payload)
        SELECT *
          FROM unnest(
               $1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::jsonb[], $6::inet[],
               $7::text[], $8::text[], $9::text[], $10::text[], $11::int[], $12::bigint[],
               $13::bytea[], $14::jsonb[], $15::bytea[])
            AS event (event_id)
         ORDER BY event_id
            ON CONFLICT DO NOTHING
        """,
        [r.envelope.id for r, _ in entries],
        [r.envelope.time for r, _ in entries],
        [user_of(r.data.body) for r, _ in entries],
        [storable(action_of(r.envelope.type)) for r, _ in entries],
        [details_of(r.data.body) for r, _ in entries],
        [client.ip for _, client in entries],
        [client.agent for _, client in entries],
        [storable(r.envelope.type) for r, _ in entries],
        [storable(r.envelope.correlation_id) for r, _ in entries],
        [r.origin.topic for r, _ in entries],
        [r.origin.partition for r, _ in entries],
        [r.origin.offset for r, _ in entries],
        [r.origin.key for r, _ in entries],
        [storable(r.data.headers) for r, _ in entries],
        [r.data.value for r, _ in entries],
    )


async def heads(conn: Connection) -> tuple[Head, ...]:
    """Where every chain ends, at one moment."""
    rows = await conn.fetch("SELECT topic, partition, length, hash FROM audit_heads")
    return tuple(sorted(Head(**row) for row in rows))


async def ensure_partitions(conn: Connection) -> None:
    await conn.execute("SELECT ensure_partitions('audit_log', 'month', 2)")
