"""All the SQL of the gateway: reads of views, nothing else."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from infra.postgres.pool import Pool

Rows = list[asyncpg.Record]


async def outcomes(pool: Pool, ids: Sequence[UUID]) -> Rows:
    """The outcomes that exist by now."""
    return await pool.fetch(
        "SELECT id, fingerprint, outcome FROM command_outcomes WHERE id = ANY($1)", ids
    )


async def is_parked(pool: Pool, command_id: UUID) -> bool:
    """Whether a command waits as a dead letter."""
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM commands_parked WHERE id = $1)", command_id
    )
    return found


async def profile(pool: Pool, user_id: UUID) -> asyncpg.Record | None:
    """What a user may see of the account."""
    return await pool.fetchrow(
        """
        SELECT id, email, display_name, email_confirmed_at, tier, permissions, created_at
          FROM profiles
         WHERE id = $1
        """,
        user_id,
    )


async def watchlist(pool: Pool, user_id: UUID) -> Rows:
    """A user's items with the last good quote of each, oldest first."""
    return await pool.fetch(
        """
        SELECT symbol, note, added_at, quote
          FROM watchlist_entries
          LEFT JOIN last_quotes USING (symbol)
         WHERE user_id = $1
         ORDER BY added_at, symbol
        """,
        user_id,
    )


async def last_quote(pool: Pool, symbol: str) -> asyncpg.Record | None:
    """The last good quote of a symbol."""
    return await pool.fetchrow(
        "SELECT quote, as_of, fetched_at FROM last_quotes WHERE symbol = $1", symbol
    )
