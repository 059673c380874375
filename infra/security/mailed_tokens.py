"""Tokens that are mailed in links: what is kept of one, and what has become of it."""

import hashlib
from enum import Enum, auto
from typing import Protocol


class TokenState(Enum):
    """What has become of a mailed token, by the clock of the database."""

    VALID = auto()
    USED = auto()
    VOIDED = auto()
    """A newer link, or what else ends a link, took its place."""
    EXPIRED = auto()


class TokenRow(Protocol):
    """What the row of a token says. A used token was perhaps voided or has expired, too."""

    @property
    def used(self) -> bool:
        """Whether it has done what it is for."""

    @property
    def voided(self) -> bool:
        """Whether something ended it before it was used."""

    @property
    def expired(self) -> bool:
        """Whether its time is over."""


def state_of(row: TokenRow) -> TokenState:
    """Return the state of a token; use counts before a voiding, and that before expiry."""
    if row.used:
        return TokenState.USED
    if row.voided:
        return TokenState.VOIDED
    return TokenState.EXPIRED if row.expired else TokenState.VALID


def token_hash(token: str) -> bytes:
    """Return what is kept of a token: its SHA-256. It is random enough to need no salt."""
    return hashlib.sha256(token.encode()).digest()
