"""The SQL that finds what Kafka has lost, run as the database's owner.

The tables are temporary: they live as long as the session of the command.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from infra.kafka.consumer_groups import Place
from infra.postgres.pool import Connection

SECONDS = 3_600.0
"""How long one of these statements may take: they read the whole log."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What Kafka has lost of one partition, of the events that the log has of it.

    `kept`: they can be filled in again. `changed`: their row is not as its chain has it. `removed`:
    their row is gone.
    """

    place: Place
    kept: int
    changed: int
    removed: int


async def prepare(conn: Connection) -> None:
    """Make the tables, or empty them."""
    await conn.execute(
        """
        CREATE TEMP TABLE IF NOT EXISTS kafka_events (id uuid NOT NULL, content bytea NOT NULL);
        CREATE TEMP TABLE IF NOT EXISTS lost_by_kafka (
            chain int, sequence bigint, event_id uuid, created_at timestamptz,
            topic text, partition int, state text,
            PRIMARY KEY (chain, sequence)
        );
        CREATE TEMP TABLE IF NOT EXISTS lost_unrecorded (id uuid, created_at timestamptz);
        TRUNCATE kafka_events, lost_by_kafka, lost_unrecorded;
        """
    )


async def count_parked(conn: Connection) -> int:
    """Commands whose dead letter an operator has to decide on."""
    count: int = await conn.fetchval("SELECT count(*) FROM parked_commands")
    return count


async def add_records(conn: Connection, events: Iterable[tuple[UUID, bytes]]) -> None:
    """Note events that their topics have: id and SHA-256 of the value."""
    await conn.copy_records_to_table("kafka_events", records=events, columns=["id", "content"])


async def find_losses(conn: Connection) -> None:
    """Compare the log and the outbox with what was noted. Each row is checked against its chain."""
    await conn.execute("ANALYZE kafka_events")
    await conn.execute(
        r"""
        INSERT INTO lost_by_kafka
        SELECT link.chain, link.sequence, link.event_id, link.created_at, topic, partition,
               CASE WHEN payload IS NULL THEN 'removed'
                    WHEN link.hash = audit_link(before.hash, decode(repeat('00', 32), 'hex'), leaf)
                    THEN 'kept'
                    ELSE 'changed' END
          FROM audit_chain AS link
          JOIN (SELECT chain, topic, partition FROM audit_heads) AS head USING (chain)
          LEFT JOIN audit_chain AS before
            ON before.chain = link.chain AND before.sequence = link.sequence - 1
          LEFT JOIN (SELECT event_id, created_at, payload, audit_leaf(audit_log) AS leaf
                       FROM audit_log) AS entry
            ON entry.event_id = link.event_id AND entry.created_at = link.created_at
         WHERE NOT EXISTS (
                   SELECT FROM kafka_events AS known
                    WHERE known.id = link.event_id
                      AND (payload IS NULL OR known.content = sha256(payload))
               )
        """,
        timeout=SECONDS,
    )
    await conn.execute(
        """
        INSERT INTO lost_unrecorded
        SELECT id, created_at
          FROM outbox
         WHERE published_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM kafka_events AS known WHERE known.id = outbox.id)
           AND NOT EXISTS (SELECT FROM audit_chain WHERE event_id = outbox.id)
        """,
        timeout=SECONDS,
    )


async def losses(conn: Connection) -> list[Loss]:
    """What was found, by partition."""
    rows = await conn.fetch(
        """
        SELECT topic, partition, count(*) FILTER (WHERE state = 'kept') AS kept,
               count(*) FILTER (WHERE state = 'changed') AS changed,
               count(*) FILTER (WHERE state = 'removed') AS removed
          FROM lost_by_kafka
         GROUP BY topic, partition
         ORDER BY topic, partition
        """
    )
    return [Loss((row["topic"], row["partition"]), *row[2:]) for row in rows]


async def count_unrecorded(conn: Connection) -> int:
    """Events that were published, and that neither their topic nor the log has."""
    count: int = await conn.fetchval("SELECT count(*) FROM lost_unrecorded")
    return count


async def lost_rows(conn: Connection, after: tuple[int, int], limit: int) -> list[dict[str, Any]]:
    """The rows that can be filled in, in the order in which the log took those of a partition."""
    rows = await conn.fetch(
        """
        SELECT chain, sequence, entry.topic, entry.partition, key, headers, payload, recorded_at
          FROM lost_by_kafka AS lost
          JOIN audit_log AS entry USING (event_id, created_at)
         WHERE state = 'kept' AND (chain, sequence) > ($1, $2)
         ORDER BY chain, sequence
         LIMIT $3
        """,
        *after,
        limit,
    )
    return [dict(row) for row in rows]


async def publish_again(conn: Connection) -> int:
    """Let the relay publish what only the outbox has. Returns how many events those are."""
    done: str = await conn.execute(
        """
        UPDATE outbox SET published_at = NULL
          FROM lost_unrecorded AS lost
         WHERE outbox.id = lost.id AND outbox.created_at = lost.created_at
        """,
        timeout=SECONDS,
    )
    return int(done.rpartition(" ")[2])


async def untold(conn: Connection) -> dict[str, Any] | None:
    """A run that was begun and of which no event was published yet: its `id`, and `refilled`."""
    row = await conn.fetchrow("SELECT id, refilled FROM recoveries WHERE refilled IS NOT NULL")
    return dict(row) if row else None


async def save_starts(
    conn: Connection, recovery: UUID, operator: str, reason: str, starts: Any
) -> None:
    """Keep where the topics ended before anything was filled in; None once that was published.

    Its row is finished from the beginning: no command has to wait for it.
    """
    await conn.execute(
        """
        INSERT INTO recoveries (id, operator, reason, points, refilled, finished_at)
        VALUES ($1, $2, $3, '{}', $4, now())
            ON CONFLICT (id) DO UPDATE SET refilled = excluded.refilled
        """,
        recovery,
        operator,
        reason,
        starts,
    )


def milliseconds(at: datetime) -> int:
    """The timestamp of a record that was recorded at this time."""
    return round(at.timestamp() * 1_000)
