"""The rows that a transaction leaves for what it handled and what it emits."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from infra.messaging import restored_database
from infra.postgres.pool import Connection


class ConcurrentDeliveryError(Exception):
    """Another consumer handled one of these messages meanwhile; nothing was written. Try again."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that was handled, as its inbox row has it."""

    message_id: UUID
    type: str
    actor_id: UUID | None
    fingerprint: str | None
    outcome: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event on its way to the outbox."""

    envelope: Envelope
    aggregate_type: str
    aggregate_id: str
    payload: str


_EMITTED = """
        emitted AS (
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
            SELECT id, aggregatetype, aggregateid, type, payload, headers
              FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
              WITH ORDINALITY AS e (id, aggregatetype, aggregateid, type, payload, headers, place)
             ORDER BY place
            RETURNING 1
        )"""
_WOKEN = "CASE WHEN EXISTS (SELECT FROM emitted) THEN pg_notify('outbox', '') END"
_SAVE_EMITTED = f"WITH {_EMITTED} SELECT {_WOKEN}"
_SAVE_ALL = f"""
        WITH settled AS (
            INSERT INTO inbox (message_id, consumer, type, actor_id, fingerprint, outcome)
            SELECT id, $7, type, actor_id, fingerprint, outcome
              FROM unnest($8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::jsonb[])
                AS s (id, type, actor_id, fingerprint, outcome)
             ORDER BY id
                ON CONFLICT DO NOTHING
            RETURNING message_id
        ), {_EMITTED}
        SELECT (SELECT count(*) FROM settled) AS settled,
               EXISTS (
                   SELECT FROM recovered_events
                    WHERE cause_id = ANY($8) AND consumer = $7 AND id <> ALL($1)
                      AND awaited AND repeated_at IS NULL AND given_up_at IS NULL
               ) AS awaited,
               {_WOKEN}
"""  # noqa: S608  # constants


async def save(
    conn: Connection, consumer: str, settled: list[Settled], emitted: list[Emitted]
) -> None:
    """Inbox and outbox rows, in one statement. A consumer that settles nothing needs no inbox.

    Raises `ConcurrentDeliveryError`, and `AwaitedError` when a message that is handled again does
    not make the events that it made before: it depends on what is not handled again yet.
    """
    if not settled and not emitted:
        return
    events = _event_columns(emitted)
    if not settled:
        await conn.execute(_SAVE_EMITTED, *events)
        return
    row = await conn.fetchrow(_SAVE_ALL, *events, consumer, *_inbox_columns(settled))
    assert row
    if row["settled"] != len(settled):
        raise ConcurrentDeliveryError
    if row["awaited"]:
        raise restored_database.AwaitedError("what this caused before is not made again yet")


def _event_columns(emitted: list[Emitted]) -> tuple[list[Any], ...]:
    """The columns of the outbox rows, in the order of $1 to $6."""
    ids = [e.envelope.id for e in emitted]
    aggregate_types = [e.aggregate_type for e in emitted]
    aggregate_ids = [e.aggregate_id for e in emitted]
    types = [e.envelope.type for e in emitted]
    payloads = [e.payload for e in emitted]
    headers = [{name: value.decode() for name, value in e.envelope.to_headers()} for e in emitted]
    return ids, aggregate_types, aggregate_ids, types, payloads, headers


def _inbox_columns(settled: list[Settled]) -> tuple[list[Any], ...]:
    """The columns of the inbox rows, in the order of $8 to $12."""
    ids = [s.message_id for s in settled]
    types = [s.type for s in settled]
    actor_ids = [s.actor_id for s in settled]
    fingerprints = [s.fingerprint for s in settled]
    outcomes = [s.outcome for s in settled]
    return ids, types, actor_ids, fingerprints, outcomes
