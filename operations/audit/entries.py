"""Rows of the audit log for operators: chosen by who, what, when and cause; any number of them."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from infra.postgres.pool import Connection

PREFETCH = 500
"""So many rows are in memory at once, however many are shown."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows; None is any. `actor` is a user's id or an operator's name."""

    action: str | None = None
    user_id: UUID | None = None
    actor: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    newest: int | None = None
    """No more than so many, the newest of them; None is all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as the log has it. `actor_id` and `operator` say who, `target` to what."""

    event_id: UUID
    created_at: datetime
    action: str
    type: str
    user_id: UUID | None
    actor_id: str | None
    operator: str | None
    target: str | None
    correlation_id: str | None
    ip_address: str | None
    user_agent: str | None
    details: dict[str, Any]

    @classmethod
    def of(cls, row: Record) -> "Entry":
        details = row["details"]
        return cls(
            event_id=row["event_id"],
            created_at=row["created_at"],
            action=row["action"],
            type=row["type"],
            user_id=row["user_id"],
            actor_id=row["actor_id"],
            operator=row["operator"],
            target=row["target"],
            correlation_id=row["correlation_id"] or None,
            ip_address=str(row["ip_address"]) if row["ip_address"] else None,
            user_agent=row["user_agent"],
            details=json.loads(details) if isinstance(details, str) else details,
        )


async def entries(
    conn: Connection, chosen: Filter, *, newest_first: bool
) -> AsyncGenerator[Entry, None]:
    """The rows in order of time, a few in memory at a time."""
    order = "DESC" if newest_first else "ASC"
    async with conn.transaction(readonly=True):
        async for row in conn.cursor(
            f"""
            SELECT *
              FROM (SELECT event_id, created_at, action, type, user_id, details,
                           headers ->> 'ce_actorid' AS actor_id,
                           details ->> 'operator' AS operator,
                           coalesce(user_id::text, headers ->> 'ce_subject') AS target,
                           correlation_id, ip_address, user_agent
                      FROM audit_log
                     WHERE ($1::text IS NULL OR action = $1)
                       AND ($2::uuid IS NULL OR user_id = $2)
                       AND ($3::text IS NULL OR headers ->> 'ce_actorid' = $3
                            OR details ->> 'operator' = $3)
                       AND ($4::text IS NULL OR correlation_id = $4)
                       AND ($5::timestamptz IS NULL OR created_at >= $5)
                       AND ($6::timestamptz IS NULL OR created_at < $6)
                     ORDER BY created_at DESC, event_id DESC
                     LIMIT $7) AS chosen
             ORDER BY created_at {order}, event_id {order}
            """,  # noqa: S608 - one of two words of our own
            chosen.action,
            chosen.user_id,
            chosen.actor,
            chosen.correlation_id,
            chosen.since,
            chosen.until,
            chosen.newest,
            prefetch=PREFETCH,
        ):
            yield Entry.of(row)
