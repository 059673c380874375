"""The SQL of the usual service: short statements, several to a transaction."""

from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import orjson

from bench.plain.common import MAILED_TOKEN_LIFETIME, REFRESH_DAYS, token_hash
from bench.plain.rotation import Rotation
from infra.postgres.pool import Connection, Pool


class Caller(Protocol):
    """Address and agent, for the audit log."""

    @property
    def ip(self) -> str | None: ...

    @property
    def agent(self) -> str | None: ...


async def prepare(conn: Connection) -> None:
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


async def lock_tier(conn: Connection, user_id: UUID) -> str | None:
    """The tier; the user is locked so that two additions cannot both take the last place."""
    tier: str | None = await conn.fetchval(
        "SELECT tier FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id
    )
    return tier


async def save_item(
    conn: Connection, user_id: UUID, symbol: str, note: str | None, limit: int
) -> bool | None:
    """Whether it was created; None when the list is full."""
    created: bool | None = await conn.fetchval(
        """
        INSERT INTO watchlist_items (user_id, symbol, note)
        SELECT $1, $2, $3
         WHERE (SELECT count(*) FROM watchlist_items WHERE user_id = $1) < $4
            OR EXISTS (SELECT FROM watchlist_items WHERE user_id = $1 AND symbol = $2)
            ON CONFLICT (user_id, symbol) DO UPDATE SET note = excluded.note
        RETURNING xmax = 0
        """,
        user_id,
        symbol,
        note,
        limit,
    )
    return created


async def log(
    conn: Connection, user_id: UUID | None, action: str, details: dict[str, Any], who: Caller
) -> None:
    await conn.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
        VALUES ($1, $2, $3, $4::text::inet, $5)
        """,
        user_id,
        action,
        details,
        who.ip,
        who.agent,
    )


async def items(pool: Pool, user_id: UUID) -> list[asyncpg.Record]:
    return await pool.fetch(
        """
        SELECT symbol, note, added_at, quote
          FROM watchlist_items
          LEFT JOIN quotes USING (symbol)
         WHERE user_id = $1
         ORDER BY added_at, symbol
        """,
        user_id,
    )


async def profile(pool: Pool, user_id: UUID) -> asyncpg.Record | None:
    return await pool.fetchrow(
        """
        SELECT id, email, display_name, email_confirmed_at, tier, permissions, created_at
          FROM users
         WHERE id = $1
        """,
        user_id,
    )


async def last_quote(pool: Pool, symbol: str) -> dict[str, Any] | None:
    quote: dict[str, Any] | None = await pool.fetchval(
        "SELECT quote FROM quotes WHERE symbol = $1", symbol
    )
    return quote


async def is_taken(conn: Connection, email: str) -> bool:
    taken: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM users WHERE email = $1 AND email_confirmed_at IS NOT NULL)",
        email,
    )
    return taken


async def insert_user(
    conn: Connection, user_id: UUID, email: str, display_name: str | None, password_hash: str
) -> None:
    await conn.execute(
        "INSERT INTO users (id, email, display_name, password_hash) VALUES ($1, $2, $3, $4)",
        user_id,
        email,
        display_name,
        password_hash,
    )


async def insert_mailed_token(conn: Connection, user_id: UUID, token: str) -> None:
    await conn.execute(
        "INSERT INTO mailed_tokens (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
        token_hash(token),
        user_id,
        datetime.now(UTC) + MAILED_TOKEN_LIFETIME,
    )


async def mark_mailed(pool: Pool, token: str) -> None:
    await pool.execute(
        "UPDATE mailed_tokens SET mailed_at = now() WHERE token_hash = $1", token_hash(token)
    )


async def account(pool: Pool, email: str) -> asyncpg.Record | None:
    """The verified user of an address, else the newest."""
    return await pool.fetchrow(
        """
        SELECT id, password_hash, tier, email_confirmed_at IS NOT NULL AS verified, permissions,
               version
          FROM users
         WHERE email = $1
         ORDER BY email_confirmed_at IS NULL, created_at DESC
         LIMIT 1
        """,
        email,
    )


async def insert_session(
    conn: Connection, session_id: UUID, user_id: UUID, refresh_token: str
) -> None:
    await conn.execute("INSERT INTO sessions (id, user_id) VALUES ($1, $2)", session_id, user_id)
    await conn.execute(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, $3)",
        token_hash(refresh_token),
        session_id,
        datetime.now(UTC) + REFRESH_DAYS,
    )


async def lock_token(conn: Connection, rotation: Rotation) -> asyncpg.Record | None:
    """The token and its user, both it and its session locked; None for one that never was."""
    return await conn.fetchrow(
        """
        SELECT users.id, tier, email_confirmed_at IS NOT NULL AS verified, permissions, version,
               ended_at IS NOT NULL AS ended, refresh_tokens.expires_at <= now() AS expired,
               now() - spent_at AS spent_ago
          FROM refresh_tokens
          JOIN sessions ON sessions.id = session_id
          JOIN users ON users.id = user_id
         WHERE token_hash = $1 AND session_id = $2
           FOR NO KEY UPDATE OF refresh_tokens, sessions
        """,
        rotation.spent,
        rotation.session_id,
    )


async def is_used(conn: Connection, token_hash: bytes) -> bool:
    used: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM refresh_tokens WHERE token_hash = $1 AND spent_at IS NOT NULL)
        """,
        token_hash,
    )
    return used


async def rotate(conn: Connection, rotation: Rotation) -> None:
    await conn.execute(
        "UPDATE refresh_tokens SET spent_at = now() WHERE token_hash = $1", rotation.spent
    )
    await conn.execute(
        "UPDATE sessions SET last_used_at = now(), expires_at = $2 WHERE id = $1",
        rotation.session_id,
        datetime.now(UTC) + REFRESH_DAYS,
    )
    await conn.execute(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, $3)",
        rotation.follows,
        rotation.session_id,
        datetime.now(UTC) + REFRESH_DAYS,
    )


async def end_session(conn: Connection, session_id: UUID) -> None:
    await conn.execute("UPDATE sessions SET ended_at = now() WHERE id = $1", session_id)
