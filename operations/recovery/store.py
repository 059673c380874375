"""The SQL of a recovery, run as the database's owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from infra.postgres.pool import Connection

MARGIN = timedelta(hours=1)
"""Between the time of an event and the row of its transaction."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An event of a topic that the database does not have."""

    envelope: Envelope
    topic: str
    key: str
    payload: str
    headers: dict[str, str]
    awaited: bool

    @property
    def consumer(self) -> str:
        return self.envelope.source.rpartition(":")[2]

    @property
    def cause_id(self) -> UUID | None:
        return UUID(self.envelope.causation_id) if self.envelope.causation_id else None


async def lost_events(conn: Connection, events: Sequence[Envelope]) -> set[UUID]:
    """Those that are neither in the audit log nor in the outbox nor recovered already."""
    ids = [event.id for event in events]
    rows = await conn.fetch(
        """
        SELECT event.id
          FROM unnest($1::uuid[]) AS event (id)
         WHERE NOT EXISTS (SELECT FROM audit_log WHERE event_id = event.id)
           AND NOT EXISTS (SELECT FROM recovered_events AS known WHERE known.id = event.id)
        """,
        ids,
    )
    left = {row["id"] for row in rows}
    if not left:
        return left
    times = [event.time for event in events]
    rows = await conn.fetch(
        """
        SELECT id FROM outbox
         WHERE created_at BETWEEN $2 AND $3 AND id = ANY($1)
        """,
        list(left),
        min(times) - MARGIN,
        max(times) + MARGIN,
    )
    return left - {row["id"] for row in rows}


async def insert_events(conn: Connection, events: Sequence[Lost]) -> None:
    """Into the outbox as published, and noted as recovered, in one transaction."""
    async with conn.transaction():
        rows = await conn.fetch(
            """
            INSERT INTO recovered_events (id, type, consumer, cause_id, awaited)
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::boolean[])
                ON CONFLICT DO NOTHING
            RETURNING id
            """,
            [each.envelope.id for each in events],
            [each.envelope.type for each in events],
            [each.consumer for each in events],
            [each.cause_id for each in events],
            [each.awaited for each in events],
        )
        new = {row["id"] for row in rows}
        kept = {each.envelope.id: each for each in events if each.envelope.id in new}.values()
        await conn.execute(
            """
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers,
                                created_at, published_at)
            SELECT id, aggregatetype, aggregateid, type, payload, headers, created_at, now()
              FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
                          $7::timestamptz[])
              WITH ORDINALITY AS e (id, aggregatetype, aggregateid, type, payload, headers,
                                    created_at, place)
             ORDER BY place
            """,
            [each.envelope.id for each in kept],
            [each.topic.removesuffix(".events") for each in kept],
            [each.key for each in kept],
            [each.envelope.type for each in kept],
            [each.payload for each in kept],
            [each.headers for each in kept],
            [each.envelope.time for each in kept],
        )


async def unfinished(conn: Connection) -> dict[str, Any] | None:
    """The recovery that was begun and is not finished."""
    row = await conn.fetchrow(
        "SELECT id, points FROM recoveries WHERE finished_at IS NULL ORDER BY began_at LIMIT 1"
    )
    return dict(row) if row else None


async def save_points(
    conn: Connection, recovery: UUID, operator: str, reason: str, points: Any
) -> None:
    await conn.execute(
        """
        INSERT INTO recoveries (id, operator, reason, points) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET points = excluded.points
        """,
        recovery,
        operator,
        reason,
        points,
    )


async def set_horizons(
    conn: Connection, recovery: UUID, horizons: Mapping[str, datetime | None]
) -> None:
    """By consumer, the time before which all others have handled everything; None: all of it."""
    as_text = {name: time.isoformat() if time else "infinity" for name, time in horizons.items()}
    await conn.execute(
        """
        UPDATE recoveries SET horizons = horizons || $2::jsonb
         WHERE id = $1 AND NOT horizons @> $2::jsonb
        """,
        recovery,
        as_text,
    )


async def note_published(conn: Connection, recovery: UUID, time: datetime) -> None:
    """Events up to this time are in their topics."""
    await conn.execute(
        "UPDATE recoveries SET published_until = greatest(published_until, $2) WHERE id = $1",
        recovery,
        time,
    )


async def finish(conn: Connection, recovery: UUID) -> None:
    await conn.execute("UPDATE recoveries SET finished_at = now() WHERE id = $1", recovery)


async def count_awaited(conn: Connection) -> int:
    """Events that are in their topics and whose commands have not made them again yet."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM recovered_events
         WHERE awaited AND repeated_at IS NULL AND given_up_at IS NULL
        """
    )
    return count


async def give_up(conn: Connection, causes: Sequence[UUID]) -> int:
    """Wait no longer until these commands make their events again. Returns how many those are."""
    rows = await conn.fetch(
        """
        UPDATE recovered_events SET given_up_at = now()
         WHERE cause_id = ANY($1) AND awaited AND repeated_at IS NULL AND given_up_at IS NULL
        RETURNING id
        """,
        causes,
    )
    return len(rows)


async def not_repeated(conn: Connection, recovery: UUID) -> list[tuple[str, int, int]]:
    """By type, how many events nothing will make again, and how many of those were awaited."""
    rows = await conn.fetch(
        """
        SELECT type, count(*) FILTER (WHERE NOT awaited), count(*) FILTER (WHERE awaited)
          FROM recovered_events
         WHERE repeated_at IS NULL AND (given_up_at IS NOT NULL OR NOT awaited)
           AND recovered_at >= (SELECT began_at FROM recoveries WHERE id = $1)
         GROUP BY type
         ORDER BY type
        """,
        recovery,
    )
    return [tuple(row) for row in rows]


async def erase_again(conn: Connection, recovery: UUID) -> int:
    """Users whose erasure was published and whom the old database still has. Returns how many."""
    rows = await conn.fetch(
        """
        SELECT erase_user((payload::jsonb ->> 'user_id')::uuid)
          FROM outbox
         WHERE id IN (
                   SELECT id FROM recovered_events
                    WHERE type LIKE 'qnt9.user.erased.%' AND repeated_at IS NULL
                      AND recovered_at >= (SELECT began_at FROM recoveries WHERE id = $1)
               )
        """,
        recovery,
    )
    return len(rows)


async def forget_old(conn: Connection) -> None:
    """Notes of recoveries whose commands no topic has any more."""
    await conn.execute(
        "DELETE FROM recovered_events WHERE recovered_at < now() - interval '60 days'"
    )
