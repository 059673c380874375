"""All the SQL of the gateway: reads of views, nothing else."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from contracts.values import WATCHLIST_LIMITS
from infra.postgres.reads import Readable

Rows = list[asyncpg.Record]

MAX_ITEMS = max(WATCHLIST_LIMITS.values())
MAX_SESSIONS = 1_000
"""Most rows of a user that one answer shows. Whoever holds a worker's credential could add more."""


async def outcomes(pool: Readable, ids: Sequence[UUID]) -> Rows:
    """The outcomes that exist by now."""
    return await pool.fetch(
        "SELECT id, fingerprint, outcome FROM command_outcomes WHERE id = ANY($1)", ids
    )


async def is_parked(pool: Readable, command_id: UUID) -> bool:
    """Whether a command waits as a dead letter."""
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM commands_parked WHERE id = $1)", command_id
    )
    return found


async def profile(pool: Readable, user_id: UUID) -> asyncpg.Record | None:
    """What a user may see of the account."""
    return await pool.fetchrow(
        """
        SELECT id, email, display_name, email_confirmed_at, tier, permissions, created_at
          FROM profiles
         WHERE id = $1
        """,
        user_id,
    )


async def access_state(pool: Readable, user_id: UUID, session_id: UUID) -> asyncpg.Record | None:
    """What a user may do at this moment, and whether the session has ended."""
    return await pool.fetchrow(
        """
        SELECT permissions,
               EXISTS (SELECT FROM sessions_ended WHERE id = $2) AS session_ended
          FROM profiles
         WHERE id = $1
        """,
        user_id,
        session_id,
    )


async def users(
    pool: Readable,
    *,
    address_hash: str | None,
    tier: str | None,
    verified: bool | None,
    before: UUID | None,
    limit: int,
) -> Rows:
    """Users, the newest first (ids are in the order of sign-ups), from one that was shown."""
    return await pool.fetch(
        """
        SELECT id, email, display_name, email_confirmed_at, tier, permissions, created_at
          FROM profiles
         WHERE ($1::text IS NULL OR address_hash = $1)
           AND ($2::text IS NULL OR tier = $2)
           AND ($3::boolean IS NULL OR (email_confirmed_at IS NOT NULL) = $3)
           AND ($4::uuid IS NULL OR id < $4)
         ORDER BY id DESC
         LIMIT $5
        """,
        address_hash,
        tier,
        verified,
        before,
        limit,
    )


async def audit_entries(
    pool: Readable,
    *,
    user_id: UUID | None,
    action: str | None,
    correlation_id: str | None,
    since: datetime | None,
    until: datetime | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Rows:
    """Entries of the audit log, newest first, from one that was shown already."""
    return await pool.fetch(
        """
        SELECT id, user_id, actor_id, action, details, ip_address, user_agent, created_at,
               correlation_id
          FROM audit_entries
         WHERE ($1::uuid IS NULL OR user_id = $1)
           AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR correlation_id = $3)
           AND ($4::timestamptz IS NULL OR created_at >= $4)
           AND ($5::timestamptz IS NULL OR created_at < $5)
           AND ($6::timestamptz IS NULL OR (created_at, id) < ($6, $7::uuid))
         ORDER BY created_at DESC, id DESC
         LIMIT $8
        """,
        user_id,
        action,
        correlation_id,
        since,
        until,
        *(before or (None, None)),
        limit,
    )


async def watchlist(pool: Readable, user_id: UUID) -> Rows:
    """A user's items: those with a place, then the others, oldest first; `MAX_ITEMS` at most."""
    return await pool.fetch(
        """
        SELECT symbol, note, added_at
          FROM watchlist_entries
         WHERE user_id = $1
         ORDER BY position NULLS LAST, added_at, symbol
         LIMIT $2
        """,
        user_id,
        MAX_ITEMS,
    )


async def last_quotes(pool: Readable, symbols: Sequence[str]) -> Rows:
    """The last good quotes of these symbols, as far as there are any."""
    return await pool.fetch(
        "SELECT symbol, quote, fetched_at, fresh_until FROM last_quotes WHERE symbol = ANY($1)",
        symbols,
    )


async def activity(
    pool: Readable, user_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> Rows:
    """A user's entries of the audit log, newest first, from one that was shown already."""
    return await pool.fetch(
        """
        SELECT id, action, details, ip_address, user_agent, created_at
          FROM activity
         WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
         ORDER BY created_at DESC, id DESC
         LIMIT $4
        """,
        user_id,
        *(before or (None, None)),
        limit,
    )


async def open_sessions(pool: Readable, user_id: UUID) -> Rows:
    """Where a user is signed in, the most recently used first; `MAX_SESSIONS` at most."""
    return await pool.fetch(
        """
        SELECT id, created_at, last_used_at, program AS client, ip_address, user_agent
          FROM sessions_open
         WHERE user_id = $1
         ORDER BY last_used_at DESC, id DESC
         LIMIT $2
        """,
        user_id,
        MAX_SESSIONS,
    )


async def sessions_ended(pool: Readable, since: timedelta) -> Rows:
    """Sessions that have ended within this time."""
    return await pool.fetch(
        "SELECT id FROM sessions_ended WHERE ended_at > now() - $1::interval", since
    )


async def users_changed(pool: Readable, since: timedelta) -> Rows:
    """Users who may have changed within this time, as they are now."""
    return await pool.fetch(
        """
        SELECT id, version, tier, permissions, verified, gone
          FROM users_changed
         WHERE updated_at > now() - $1::interval
        """,
        since,
    )


async def users_named(pool: Readable, ids: Collection[UUID]) -> Rows:
    """Those of these users who have ever changed, as they are now."""
    return await pool.fetch(
        """
        SELECT id, version, tier, permissions, verified, gone
          FROM users_changed
         WHERE id = ANY($1)
        """,
        [*ids],
    )
