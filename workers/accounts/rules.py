"""Who may sign in, and what with. Pure."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from contracts.events import UserSigninFailed
from infra.addresses import normalise
from infra.sealed import SealedContent

REFRESH_LIFETIME = timedelta(days=30)


class Credentials(SealedContent):
    """Who wants to sign in."""

    email: Annotated[str, AfterValidator(normalise)]
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


@dataclass(frozen=True, slots=True)
class Account:
    """The user whom an address means, as a token tells of them; `version` counts its changes."""

    user_id: UUID
    password_hash: str | None = field(repr=False)
    tier: str
    verified: bool
    permissions: tuple[str, ...]
    version: int


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


def token_hash(refresh_token: str) -> bytes:
    """What is kept of a refresh token, which is random enough to need no salt."""
    return hashlib.sha256(refresh_token.encode()).digest()
