"""What a token, an address and an event come to. Pure."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import PersonalKey
from infra.addresses import normalise
from infra.sealed import SealedContent

CallsForMail = UserSignedUp | UserSignupRepeated

VERIFY = "verify"
SIGNUP_REPEATED = "signup_repeated"
TOKEN_LIFETIME = timedelta(hours=24)
RESEND_INTERVAL = timedelta(minutes=1)

_LIKE_A_LINK = re.compile(r"[:/@]|\w\.\w{2,}")


class Redemption(SealedContent):
    """A token as it came from a link."""

    token: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class Address(SealedContent):
    """Whose mail should come once more."""

    email: Annotated[str, AfterValidator(normalise), Field(repr=False)]


@dataclass(frozen=True, slots=True)
class Person:
    """One sign-up of an address, as its row has it."""

    user_id: UUID
    email: str | None = field(repr=False)
    display_name: str | None = field(repr=False)
    key: PersonalKey | None
    created_at: datetime
    confirmed_at: datetime | None = None
    superseded: bool = False
    erased: bool = False

    @property
    def waits(self) -> bool:
        """Whether it could still be verified."""
        return not (self.confirmed_at or self.superseded or self.gone)

    @property
    def gone(self) -> bool:
        """Erased: nothing of it may be read, and it owns no address."""
        return self.erased or self.key is None or self.email is None


@dataclass(frozen=True, slots=True)
class Token:
    """A mailed token, judged by the clock of the database."""

    user_id: UUID
    used: bool = False
    voided: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Verify:
    """The address is this person's; the other sign-ups of it end."""

    person: Person
    superseded: tuple[UUID, ...]


def redeem(token: Token | None, people: Sequence[Person]) -> Verify | Succeeded | Rejected:
    """What a token does, given every sign-up of its address."""
    person = next((p for p in people if token and p.user_id == token.user_id), None)
    if token is None or person is None or person.gone:
        return Rejected("invalid-token")
    if token.used and person.confirmed_at:
        return confirmed(person.confirmed_at)
    if token.used or token.voided or not person.waits or owner_of(people):
        return Rejected("invalid-token")
    if token.expired:
        return Rejected("expired-token")
    return Verify(person, tuple(p.user_id for p in people if p is not person and p.waits))


def confirmed(at: datetime) -> Succeeded:
    return Succeeded({"email_confirmed_at": at.isoformat()})


def owner_of(people: Sequence[Person]) -> Person | None:
    """Who has verified the address, if anybody has."""
    return next((p for p in people if p.confirmed_at and not p.gone), None)


def who_waits(people: Sequence[Person]) -> Person | None:
    """The newest sign-up of an address that nobody has verified."""
    waiting = [p for p in people if p.waits]
    if not waiting or owner_of(people):
        return None
    return max(waiting, key=lambda p: (p.created_at, p.user_id))


def template_for(event: CallsForMail) -> str:
    """Which mail an event calls for."""
    return VERIFY if isinstance(event, UserSignedUp) else SIGNUP_REPEATED


def mailed_token(key: bytes, mail_id: UUID) -> str:
    """43 url-safe characters that nobody without the key can make."""
    digest = hmac.digest(key, mail_id.bytes, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a mail waits after a failure: doubling from `first` to `most`, less some jitter."""

    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(seconds=60)
    give_up: timedelta = timedelta(hours=72)

    def delay(self, attempts: int, age: timedelta, chance: float) -> timedelta | None:
        """None when it has been tried for long enough. `chance` is in [0, 1)."""
        if age >= self.give_up:
            return None
        whole: timedelta = min(self.most, self.first * 2 ** min(attempts - 1, 20))
        return whole * (1 - chance / 2)


def greeted_name(name: str | None) -> str | None:
    """A name in one line; none for what a mail program would show as a link.

    Whoever signs up writes the name, and somebody else may read it.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in name or "").split())
    return None if not line or _LIKE_A_LINK.search(line) else line
