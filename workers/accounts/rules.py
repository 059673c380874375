"""Who may sign in, and what with. Pure."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from contracts.addresses import folded_address
from contracts.commands import ChangeEmail, ChangePassword, EraseAccount
from contracts.events import UserPasswordCheckFailed, UserSigninFailed
from contracts.message import Command
from contracts.outcomes import Rejected
from contracts.sealed_contents import RefreshToken
from infra.security.address_hmac import contains_address
from infra.security.refresh_tokens import refresh_token, session_of

REFRESH_LIFETIME = timedelta(days=30)
"""How long a session lives unused."""
SESSION_LIFETIME = timedelta(days=90)
"""How long it lives at all."""
MAX_OPTIMISTIC_RETRIES = 5
"""How often one command looks at an account that keeps changing under it."""
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
class Account:
    """The user whom an address means, as a token tells of them; `version` counts its changes."""

    user_id: UUID
    password_hash: str | None = field(repr=False)
    tier: str
    verified: bool
    permissions: tuple[str, ...]
    version: int
    email: str | None = field(default=None, repr=False)

    def has_address(self, email: str) -> bool:
        """Whether it is this account's address, in this spelling or another."""
        return self.email is not None and folded_address(self.email) == folded_address(email)


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the password is the account's; a new hash where the old one's work is out of date."""

    matches: bool
    renewed_hash: str | None = field(default=None, repr=False)


def failure(account: Account | None) -> UserSigninFailed:
    """What is told of a sign-in that came to nothing; the client learns neither reason."""
    if account is None:
        return UserSigninFailed(reason="unknown_address")
    return UserSigninFailed(user_id=account.user_id, reason="wrong_password")


_ASKED_FOR: dict[type[Command], str] = {
    ChangePassword: "password_change",
    ChangeEmail: "email_change",
    EraseAccount: "erasure",
}


def unproven(command: Command, account: Account) -> UserPasswordCheckFailed:
    """What is told of a command whose password was not the actor's."""
    purpose = _ASKED_FOR[type(command)]
    return UserPasswordCheckFailed(user_id=account.user_id, purpose=purpose)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a refresh token, by the database's clock, with its session locked."""

    session_ended: bool = False
    expired: bool = False
    spent_ago: timedelta | None = None
    successor_used: bool = False
    late_run: int = 0

    @property
    def is_late(self) -> bool:
        """Whether it was spent longer ago than two tabs or a repeated request explain."""
        return self.spent_ago is not None and self.spent_ago > GRACE


class RefreshDecision(Enum):
    """What becomes of a refresh token."""

    FRESH = auto()
    REPEATED = auto()
    REUSED = auto()
    INVALID = auto()


def classify_refresh(token: Token | None) -> RefreshDecision:
    """A spent one gives its successor again, however late, while nobody went on with that.

    Whoever lost the answer cannot go on otherwise. Once the successor was used, or when it happens
    time after time, somebody has a copy.
    """
    match token:
        case None | Token(session_ended=True):
            return RefreshDecision.INVALID
        case Token(spent_ago=None, expired=expired):
            return RefreshDecision.INVALID if expired else RefreshDecision.FRESH
        case Token(successor_used=True):
            return RefreshDecision.REUSED
        case Token(expired=True):
            return RefreshDecision.INVALID
        case Token(is_late=True, late_run=run) if run >= MAX_LATE_RUN:
            return RefreshDecision.REUSED
        case _:
            return RefreshDecision.REPEATED


@dataclass(frozen=True, slots=True)
class MailedToken:
    """A token that was mailed to reset a password, by the database's clock."""

    usable: bool = True
    expired: bool = False


def refusal(token: MailedToken | None) -> Rejected | None:
    """Why a mailed token sets no password; None when it does."""
    if token is None or not token.usable:
        return Rejected("invalid-token")
    return Rejected("expired-token") if token.expired else None


def weakness(password: str, email: str | None) -> Rejected | None:
    """The one rule about passwords that takes knowing the account; the edge has the others."""
    if email and contains_address(password, email):
        return Rejected("weak-password", "It must not contain the e-mail address.")
    return None


def token_hash(token: str) -> bytes:
    """What is kept of a token, which is random enough to need no salt."""
    return hashlib.sha256(token.encode()).digest()
