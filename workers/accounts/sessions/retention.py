"""What may go of sessions and refresh tokens.

A copied token ends its session for as long as it could have been refreshed, and longer; after that
it is as unknown as one that never was.
"""

from datetime import timedelta

from infra.postgres.retention import Rule, oldest_rows

TOKENS = oldest_rows("refresh_tokens", key=("token_hash",), since="expires_at")
"""Spent or not, they have expired."""
SESSIONS = oldest_rows(
    "sessions",
    key=("id",),
    since="expires_at",
    only="NOT EXISTS (SELECT FROM refresh_tokens WHERE session_id = sessions.id)",
)
"""Ended or not, they can no longer be refreshed."""


def rules(keep: timedelta) -> list[Rule]:
    """Tokens first: a session goes when it has none left."""
    return [Rule("refresh_tokens", keep, TOKENS), Rule("sessions", keep, SESSIONS)]
