"""The SQL of what operators do about dead letters. The owner's: no worker may write here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from asyncpg import Record

from contracts.outcomes import Rejected
from infra.postgres.pool import Connection
from operations.dead_letters.topic import DeadLetter

Kind = Literal["redriven", "discarded"]


@dataclass(frozen=True, slots=True)
class Action:
    """What was done about a dead letter."""

    offset: int
    action: Kind
    operator: str
    reason: str
    acted_at: datetime


async def actions(conn: Connection, topic: str) -> dict[int, Action]:
    """Everything that was done about dead letters of a topic, by offset."""
    rows = await conn.fetch(
        """
        SELECT "offset", action, operator, reason, acted_at
          FROM dead_letter_actions
         WHERE topic = $1
        """,
        topic,
    )
    return {row["offset"]: Action(*row) for row in rows}


async def key_of(conn: Connection, owner: str) -> bytes | None:
    """The key of somebody's personal data; None once that person was erased."""
    secret: bytes | None = await conn.fetchval(
        "SELECT secret FROM personal_keys WHERE id = $1", owner
    )
    return secret


async def claim(
    conn: Connection,
    kind: Kind,
    dead_letters: Sequence[DeadLetter],
    operator: str,
    reason: str,
    *,
    event_id: UUID | None = None,
) -> set[tuple[str, int]]:
    """Mark dead letters as dealt with; those that another transaction has not dealt with first.

    `event_id` is the event that will report them later; None when this transaction does.
    """
    rows = await conn.fetch(
        """
        INSERT INTO dead_letter_actions
               (topic, "offset", action, operator, reason, message_id, event_id)
        SELECT topic, "offset", $1, $2, $3, message_id, $7
          FROM unnest($4::text[], $5::bigint[], $6::uuid[])
            AS dead_letter (topic, "offset", message_id)
         ORDER BY topic, "offset"
            ON CONFLICT DO NOTHING
        RETURNING topic, "offset"
        """,
        kind,
        operator,
        reason,
        [dead_letter.record.topic for dead_letter in dead_letters],
        [dead_letter.record.offset for dead_letter in dead_letters],
        [dead_letter.message_id for dead_letter in dead_letters],
        event_id,
    )
    return {(row["topic"], row["offset"]) for row in rows}


async def untold(conn: Connection) -> list[UUID]:
    """Events that have marks and were not published."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT event_id
          FROM dead_letter_actions
         WHERE told_at IS NULL AND event_id IS NOT NULL
         ORDER BY event_id
        """
    )
    return [row["event_id"] for row in rows]


async def done_under(conn: Connection, event_id: UUID) -> list[Record]:
    """The marks that an event reports, in order."""
    return await conn.fetch(
        """
        SELECT topic, "offset", action, operator, reason, message_id, acted_at
          FROM dead_letter_actions
         WHERE event_id = $1
         ORDER BY "offset"
        """,
        event_id,
    )


async def mark_reported(conn: Connection, event_id: UUID) -> None:
    """Its event is published."""
    await conn.execute(
        "UPDATE dead_letter_actions SET told_at = now() WHERE event_id = $1", event_id
    )


async def unclaim(conn: Connection, dead_letters: Sequence[DeadLetter]) -> None:
    """Marks of this transaction for which nothing is done after all."""
    await conn.execute(
        """
        DELETE FROM dead_letter_actions
         USING unnest($1::text[], $2::bigint[]) AS dead_letter (topic, "offset")
         WHERE dead_letter_actions.topic = dead_letter.topic
           AND dead_letter_actions."offset" = dead_letter."offset"
        """,
        [dead_letter.record.topic for dead_letter in dead_letters],
        [dead_letter.record.offset for dead_letter in dead_letters],
    )


async def parked(conn: Connection, messages: Sequence[UUID]) -> set[UUID]:
    """Those of these messages that wait as dead letters."""
    rows = await conn.fetch(
        "SELECT command_id FROM parked_commands WHERE command_id = ANY($1)", messages
    )
    return {row["command_id"] for row in rows}


async def remember(conn: Connection, consumer: str, messages: Sequence[UUID]) -> None:
    """What was handled meanwhile is known for as long again, so that a copy under way finds it."""
    await conn.execute(
        "UPDATE inbox SET handled_at = now() WHERE consumer = $1 AND message_id = ANY($2)",
        consumer,
        messages,
    )


async def unpark(conn: Connection, commands: Sequence[UUID]) -> None:
    """They wait as dead letters no longer. A consumer that parks one anew waits for the commit."""
    await conn.execute("DELETE FROM parked_commands WHERE command_id = ANY($1)", commands)


async def give_up(conn: Connection, consumer: str, dead_letters: Sequence[DeadLetter]) -> None:
    """Commands without an outcome have one now: they failed."""
    envelopes = {each.envelope.id: each.envelope for each in dead_letters if each.envelope}
    rows: list[tuple[Any, ...]] = [
        (each.id, each.type, each.actor_id, each.fingerprint) for each in envelopes.values()
    ]
    await conn.execute(
        """
        INSERT INTO inbox (message_id, consumer, type, actor_id, fingerprint, outcome)
        SELECT id, $1, type, actor_id, fingerprint, $2
          FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[])
            AS command (id, type, actor_id, fingerprint)
         ORDER BY id
            ON CONFLICT DO NOTHING
        """,
        consumer,
        Rejected("discarded").to_json(),
        *(list(column) for column in zip(*rows, strict=True)),
    )
