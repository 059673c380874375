"""The SQL of the leanest service: each request one statement, its audit row included."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bench.plain.common import MAILED_TOKEN_LIFETIME, REFRESH_DAYS, token_hash
from bench.plain.rotation import GRACE, Rotation
from infra.postgres.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, for the audit log."""

    ip: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """What a user follows; `details` is what the audit log says of it."""

    user_id: UUID
    symbol: str
    note: str | None
    details: str


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made, and the token that its mail carries."""

    id: UUID
    email: str
    display_name: str | None
    password_hash: str
    token: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session to be made, with its first refresh token."""

    id: UUID
    user_id: UUID
    refresh_token: str


async def no_reset(_: Connection) -> None:
    """Nothing is ever set on a connection, so nothing need be reset: a round trip saved."""


async def save_item(pool: Pool, item: Item, client: Client) -> bool | None:
    """Whether it was created; None when the list is full or there is no such user.

    The user is not locked: two additions at the same moment may both take the last place.
    """
    created: bool | None = await pool.fetchval(
        """
        WITH item AS (
            INSERT INTO watchlist_items (user_id, symbol, note)
            SELECT id, $2, $3
              FROM users
             WHERE id = $1
               AND ((SELECT count(*) FROM watchlist_items WHERE user_id = $1)
                    < CASE tier WHEN 'pro' THEN 1000 WHEN 'plus' THEN 200 ELSE 50 END
                    OR EXISTS (SELECT FROM watchlist_items WHERE user_id = $1 AND symbol = $2))
                ON CONFLICT (user_id, symbol) DO UPDATE SET note = excluded.note
            RETURNING xmax = 0 AS created
        ), logged AS (
            INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
            SELECT $1, 'watchlist.item_added', $4::jsonb, $5::text::inet, $6 FROM item
        )
        SELECT created FROM item
        """,
        item.user_id,
        item.symbol,
        item.note,
        item.details,
        client.ip,
        client.agent,
    )
    return created


async def items(pool: Pool, user_id: UUID) -> list[asyncpg.Record]:
    return await pool.fetch(
        """
        SELECT symbol, note, added_at, quote::text
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
        SELECT id::text, email, display_name, email_confirmed_at, tier, permissions, created_at
          FROM users
         WHERE id = $1
        """,
        user_id,
    )


async def last_quote(pool: Pool, symbol: str) -> str | None:
    quote: str | None = await pool.fetchval(
        "SELECT quote::text FROM quotes WHERE symbol = $1", symbol
    )
    return quote


async def insert_user(pool: Pool, new: NewUser, client: Client) -> bool:
    """False when a verified user has the address."""
    made: bool | None = await pool.fetchval(
        """
        WITH made AS (
            INSERT INTO users (id, email, display_name, password_hash)
            SELECT $1, $2, $3, $4
             WHERE NOT EXISTS (
                   SELECT FROM users WHERE email = $2 AND email_confirmed_at IS NOT NULL)
            RETURNING id
        ), mailed AS (
            INSERT INTO mailed_tokens (token_hash, user_id, expires_at)
            SELECT $5, id, $6 FROM made
        ), logged AS (
            INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
            SELECT id, 'user.signup', '{}', $7::text::inet, $8 FROM made
        )
        SELECT true FROM made
        """,
        new.id,
        new.email,
        new.display_name,
        new.password_hash,
        token_hash(new.token),
        datetime.now(UTC) + MAILED_TOKEN_LIFETIME,
        client.ip,
        client.agent,
    )
    return bool(made)


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


async def insert_session(pool: Pool, session: Session, client: Client) -> None:
    await pool.execute(
        """
        WITH session AS (
            INSERT INTO sessions (id, user_id) VALUES ($1, $2)
        ), refresh AS (
            INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ($3, $1, $4)
        )
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
        VALUES ($2, 'user.signin', '{}', $5::text::inet, $6)
        """,
        session.id,
        session.user_id,
        token_hash(session.refresh_token),
        datetime.now(UTC) + REFRESH_DAYS,
        client.ip,
        client.agent,
    )


_ROTATE = """
    WITH held AS (
        SELECT session_id, user_id, spent_at, ended_at, refresh_tokens.expires_at
          FROM refresh_tokens
          JOIN sessions ON sessions.id = session_id
         WHERE token_hash = $1 AND session_id = $2
           FOR NO KEY UPDATE
    ), judged AS (
        SELECT held.*,
               CASE WHEN ended_at IS NOT NULL THEN 'invalid'
                    WHEN spent_at IS NULL AND expires_at <= now() THEN 'invalid'
                    WHEN spent_at IS NULL THEN 'fresh'
                    WHEN spent_at >= now() - $4::interval
                         AND NOT EXISTS (SELECT FROM refresh_tokens
                                          WHERE token_hash = $3 AND spent_at IS NOT NULL)
                         THEN 'repeated'
                    ELSE 'reused' END AS judgement
          FROM held
    ), spent AS (
        UPDATE refresh_tokens SET spent_at = now() FROM judged
         WHERE token_hash = $1 AND judgement = 'fresh'
    ), followed AS (
        INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
        SELECT $3, session_id, now() + $5::interval FROM judged WHERE judgement = 'fresh'
    ), used AS (
        UPDATE sessions
           SET last_used_at = now(), expires_at = now() + $5::interval,
               ended_at = CASE judgement WHEN 'reused' THEN now() END
          FROM judged
         WHERE id = $2 AND judgement IN ('fresh', 'reused')
    ), logged AS (
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
        SELECT user_id,
               CASE judgement WHEN 'fresh' THEN 'user.token_refreshed'
                              ELSE 'user.token_reuse_detected' END,
               jsonb_build_object('session_id', session_id), $6::text::inet, $7
          FROM judged
         WHERE judgement IN ('fresh', 'reused')
    )
    SELECT judgement, id, tier, email_confirmed_at IS NOT NULL AS verified, permissions,
           version
      FROM judged JOIN users ON users.id = user_id
"""


async def rotate(pool: Pool, rotation: Rotation, client: Client) -> asyncpg.Record | None:
    """What the token comes to, done in the same statement; None for one that never was.

    Token and session are locked, and seen as they are then: of two at once one is the repetition.
    """
    return await pool.fetchrow(
        _ROTATE,
        rotation.spent,
        rotation.session_id,
        rotation.follows,
        GRACE,
        REFRESH_DAYS,
        client.ip,
        client.agent,
    )


async def log(pool: Pool, user_id: UUID | None, action: str, client: Client) -> None:
    await pool.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
        VALUES ($1, $2, '{}', $3::text::inet, $4)
        """,
        user_id,
        action,
        client.ip,
        client.agent,
    )
