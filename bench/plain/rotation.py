"""What a refresh token comes to, by the system's rules."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from uuid import UUID

from bench.plain.common import token_hash
from infra.security.refresh_tokens import refresh_token, session_of

GRACE = timedelta(seconds=10)
"""How long a spent token gives the same successor, as long as that is unused."""

FRESH, REPEATED, REUSED, INVALID = "fresh", "repeated", "reused", "invalid"
GOOD = (FRESH, REPEATED)
ACTIONS = {FRESH: "user.token_refreshed", REUSED: "user.token_reuse_detected"}
CODES = {REUSED: "token-reused", INVALID: "invalid-refresh-token"}


@dataclass(frozen=True, slots=True)
class Rotation:
    """One token, and the only one that can follow it: nothing clear is kept to give it again."""

    session_id: UUID
    successor: str
    spent: bytes
    follows: bytes

    @classmethod
    def of(cls, token: str, key: bytes) -> Self | None:
        """None for what cannot be a token."""
        session_id = session_of(token)
        if session_id is None:
            return None
        successor = refresh_token(session_id, hmac.digest(key, token.encode(), "sha256"))
        return cls(session_id, successor, token_hash(token), token_hash(successor))


def judgement(
    *, ended: bool, expired: bool, spent_ago: timedelta | None, successor_used: bool
) -> str:
    """Of a token that there is."""
    if ended:
        return INVALID
    if spent_ago is None:
        return INVALID if expired else FRESH
    return REPEATED if spent_ago <= GRACE and not successor_used else REUSED
