"""What the sub-slices of accounts decide alike. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from contracts.addresses import folded_address
from contracts.outcomes import Rejected
from infra.security.address_hmac import contains_address

REFRESH_LIFETIME = timedelta(days=30)
"""How long a session lives unused."""
SESSION_LIFETIME = timedelta(days=90)
"""How long it lives at all."""
MAX_OPTIMISTIC_RETRIES = 5
"""How often one command looks at an account that keeps changing under it."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user whom an address means, as a token reports them; `version` counts its changes."""

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
    """The one rule about passwords that takes knowing the account; the gateway has the others."""
    if email and contains_address(password, email):
        return Rejected("weak-password", "It must not contain the e-mail address.")
    return None
