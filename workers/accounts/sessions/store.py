"""The SQL of sessions and their refresh tokens, with the lock of the user's row held."""

from uuid import UUID

from infra.postgres.pool import Connection
from infra.security.client_cipher import Client
from workers.accounts.rules import REFRESH_LIFETIME, SESSION_LIFETIME
from workers.accounts.sessions.rules import Token
from workers.accounts.store import ACCOUNT, STANDS, Locked, locked


async def lock_holder(conn: Connection, session_id: UUID, token_hash: bytes) -> Locked | None:
    """The user of a refresh token, locked. Nobody's lock is taken for a token that never was."""
    row = await conn.fetchrow(
        f"""
        SELECT {ACCOUNT}, personal_keys.secret
          FROM refresh_tokens
          JOIN sessions ON sessions.id = session_id
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE token_hash = $1 AND session_id = $2
           AND {STANDS}
           FOR NO KEY UPDATE OF users
        """,  # noqa: S608  # constants
        token_hash,
        session_id,
    )
    return locked(row) if row else None


async def find_token(conn: Connection, token_hash: bytes, successor: bytes) -> Token | None:
    """As it stands once its user is locked, at this moment of the database's clock."""
    row = await conn.fetchrow(
        """
        SELECT ended_at IS NOT NULL AS session_ended,
               refresh_tokens.expires_at <= clock_timestamp() AS expired,
               clock_timestamp() - spent_at AS spent_ago, late_run,
               clock_timestamp() - refresh_tokens.created_at AS issued_ago,
               EXISTS (
                   SELECT FROM refresh_tokens WHERE token_hash = $2 AND spent_at IS NOT NULL
               ) AS successor_used
          FROM refresh_tokens JOIN sessions ON sessions.id = session_id
         WHERE token_hash = $1
        """,
        token_hash,
        successor,
    )
    return Token(**row) if row else None


async def rotate(
    conn: Connection, session_id: UUID, *, spent: bytes, successor: bytes, client: Client
) -> None:
    """One token is spent, the next begins; unused, the session ends sooner than with its age."""
    await conn.execute(
        """
        WITH spent AS (
            UPDATE refresh_tokens SET spent_at = clock_timestamp() WHERE token_hash = $2
        ), session AS (
            UPDATE sessions
               SET last_used_at = now(), expires_at = least(now() + $4, created_at + $5),
                   ip_address = $6, user_agent = $7
             WHERE id = $1
            RETURNING id, expires_at
        )
        INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
        SELECT $3, id, expires_at FROM session
        """,
        session_id,
        spent,
        successor,
        REFRESH_LIFETIME,
        SESSION_LIFETIME,
        client.ip,
        client.agent,
    )


async def set_late_run(conn: Connection, successor: bytes, late_run: int) -> None:
    """The token that followed a spent one was handed out again, later than a repetition is."""
    await conn.execute(
        "UPDATE refresh_tokens SET late_run = $2 WHERE token_hash = $1", successor, late_run
    )


async def lock_owner(conn: Connection, session_id: UUID, user_id: UUID) -> Locked | None:
    """The user, locked, if it is a session of this user's."""
    row = await conn.fetchrow(
        f"""
        SELECT {ACCOUNT}, personal_keys.secret
          FROM sessions
          JOIN users ON users.id = user_id
          CROSS JOIN LATERAL user_key(users.id) AS personal_keys (secret)
         WHERE sessions.id = $1 AND users.id = $2
           FOR NO KEY UPDATE OF users
        """,  # noqa: S608  # constants
        session_id,
        user_id,
    )
    return locked(row) if row else None


async def end_session(conn: Connection, session_id: UUID) -> bool:
    """Whether it was this that ended it."""
    ended = await conn.fetchval(
        "UPDATE sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING true",
        session_id,
    )
    return ended is not None
