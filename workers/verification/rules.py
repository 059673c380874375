"""What a token, an address and an event come to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.outcomes import Rejected, Succeeded
from contracts.personal import PersonalKey
from contracts.times import in_utc
from infra.security.mailed_tokens import TokenState, state_of
from workers.notifications.rules import EMAIL_CHANGE, RESET, VERIFY

ENDED_BY_MOVE = (VERIFY, EMAIL_CHANGE, RESET)
"""Links that no longer work once a user has another address; one that undoes the change does."""
CONFIRMING = (VERIFY, EMAIL_CHANGE)
"""Links that confirm the address they were mailed to."""


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

    def takes(self, purpose: str) -> bool:
        """Whether a link for this purpose can still give it the address."""
        return self.waits if purpose == VERIFY else not self.superseded

    @property
    def gone(self) -> bool:
        """Erased: nothing of it may be read, and it owns no address."""
        return self.erased or self.key is None or self.email is None


@dataclass(frozen=True, slots=True)
class Token:
    """A mailed token, judged by the clock of the database."""

    user_id: UUID
    purpose: str = VERIFY
    used: bool = False
    voided: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Verify:
    """The address is this person's; the other sign-ups of it end."""

    person: Person
    superseded: tuple[UUID, ...]


def redeem(
    token: Token | None, users: Sequence[Person], email: str
) -> Verify | Succeeded | Rejected:
    """What a token does, given its person, every sign-up of the address it was mailed to, and that.

    A link to another address moves the person. One of a sign-up takes proof, and another slice.
    """
    person = next((p for p in users if token and p.user_id == token.user_id), None)
    if token is None or person is None or person.gone:
        return Rejected("invalid-token")
    others = [p for p in users if p is not person]
    may_take = person.takes(token.purpose) and not owner_of(others)
    match state_of(token), may_take:
        case TokenState.USED, _ if person.confirmed_at and person.email == email:
            return confirmed(person.confirmed_at)
        case (TokenState.USED | TokenState.VOIDED, _) | (_, False):
            return Rejected("invalid-token")
        case TokenState.EXPIRED, _:
            return Rejected("expired-token")
        case _ if token.purpose == VERIFY:
            return Rejected("proof-required")
        case _:
            return Verify(person, tuple(p.user_id for p in others if p.waits))


def confirmed(at: datetime) -> Succeeded:
    """Return the outcome for an address that is verified, with the time."""
    return Succeeded({"email_confirmed_at": in_utc(at)})


def owner_of(users: Sequence[Person]) -> Person | None:
    """Who has verified the address, if anybody has."""
    return next((p for p in users if p.confirmed_at and not p.gone), None)


def who_waits(users: Sequence[Person]) -> Person | None:
    """The newest sign-up of an address that nobody has verified."""
    waiting = [p for p in users if p.waits]
    if not waiting or owner_of(users):
        return None
    return max(waiting, key=lambda p: (p.created_at, p.user_id))
