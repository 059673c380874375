"""What becomes of a refresh token. Pure."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from contracts.sealed_contents import RefreshToken
from infra.security.refresh_tokens import refresh_token, session_of

GRACE = timedelta(seconds=10)
"""For so long a spent token that comes again is two tabs, or an answer that got lost."""


MAX_LATE_RUN = 3
"""How many tokens of a session in a row may be asked for again later than that.

An answer can get lost, and its client come back days later. Somebody with a copy who goes on in
turns with the owner would need it every time.
"""


class Refresh(RefreshToken):
    """A refresh token as its holder sent it, and what follows from it."""

    @property
    def session_id(self) -> UUID:
        """Which session it names, good or not."""
        session_id = session_of(self.refresh_token)
        assert session_id
        return session_id

    def successor(self, key: bytes) -> str:
        """The one token that can follow, so that nothing clear is kept to give it out again."""
        secret = hmac.digest(key, self.refresh_token.encode(), "sha256")
        return refresh_token(self.session_id, secret)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a refresh token, by the database's clock, with its session locked."""

    session_ended: bool = False
    expired: bool = False
    spent_ago: timedelta | None = None
    issued_ago: timedelta | None = None
    successor_used: bool = False
    late_run: int = 0

    @property
    def is_late(self) -> bool:
        """Whether it was spent longer ago than two tabs or a repeated request explain."""
        return self.spent_ago is not None and self.spent_ago > GRACE


class RefreshDecision(Enum):
    """What becomes of a refresh token."""

    FRESH = auto()
    SHARED = auto()
    REPEATED = auto()
    REUSED = auto()
    INVALID = auto()


def classify_refresh(token: Token | None, *, several_tabs: bool = False) -> RefreshDecision:
    """A spent one gives its successor again, however late, while nobody went on with that.

    Whoever lost the answer cannot go on otherwise. Once the successor was used, or when it happens
    time after time, somebody has a copy.
    """
    match token:
        case None | Token(session_ended=True):
            return RefreshDecision.INVALID
        case Token(spent_ago=None):
            return _classify_unspent(token, several_tabs=several_tabs)
        case Token(successor_used=True):
            return RefreshDecision.REUSED
        case Token(expired=True):
            return RefreshDecision.INVALID
        case Token(is_late=True, late_run=run) if run >= MAX_LATE_RUN:
            return RefreshDecision.REUSED
        case _:
            return RefreshDecision.REPEATED


def _classify_unspent(token: Token, *, several_tabs: bool) -> RefreshDecision:
    """A token that several tabs share stays for a while, so that they may use it in any order.

    Otherwise the answer to a slow tab could bring the others back to a token that is spent.
    """
    if token.expired:
        return RefreshDecision.INVALID
    is_young = token.issued_ago is not None and token.issued_ago < GRACE
    return RefreshDecision.SHARED if several_tabs and is_young else RefreshDecision.FRESH
