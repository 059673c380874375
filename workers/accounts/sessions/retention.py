"""What may go of sessions and refresh tokens.

A copied token ends its session for as long as it could have been refreshed, and longer; after that
it is as unknown as one that never was.
"""

from datetime import timedelta

from infra.postgres.pool import Connection
from infra.postgres.retention import Rule


def rules(keep: timedelta) -> list[Rule]:
    """Tokens first: a session goes when it has none left."""
    return [
        Rule("refresh_tokens", keep, delete_expired_tokens),
        Rule("sessions", keep, delete_expired_sessions),
    ]


async def delete_expired_tokens(conn: Connection, keep: timedelta, most: int) -> int:
    """Spent or not, they have expired."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT token_hash FROM refresh_tokens
             WHERE expires_at < now() - $1::interval
             ORDER BY expires_at
             LIMIT $2
        ), gone AS (
            DELETE FROM refresh_tokens USING old
             WHERE refresh_tokens.token_hash = old.token_hash
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed


async def delete_expired_sessions(conn: Connection, keep: timedelta, most: int) -> int:
    """Ended or not, they can no longer be refreshed."""
    removed: int = await conn.fetchval(
        """
        WITH old AS (
            SELECT id FROM sessions
             WHERE expires_at < now() - $1::interval
               AND NOT EXISTS (SELECT FROM refresh_tokens WHERE session_id = sessions.id)
             ORDER BY expires_at
             LIMIT $2
        ), gone AS (
            DELETE FROM sessions USING old WHERE sessions.id = old.id RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed
