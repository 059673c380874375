"""Bodies about sessions, as the OpenAPI document shows them."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class OpenSession(BaseModel):
    """One sign-in that has not ended. `current`: the one that asks.

    `client` is the program in a few words, `ip_address` and `user_agent` are those of the last
    refresh, or of signing in; null for a session from before they were kept.
    """

    id: UUID
    created_at: datetime
    last_used_at: datetime
    client: str | None
    ip_address: str | None
    user_agent: str | None
    current: bool


class OpenSessions(BaseModel):
    """Where the caller is signed in."""

    sessions: list[OpenSession]
