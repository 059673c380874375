"""What a token, an address and an event come to. Pure."""

import base64
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.events import (
    UserEmailChanged,
    UserEmailChangeRequested,
    UserErased,
    UserPasswordChanged,
    UserPasswordReset,
    UserSignedIn,
    UserSignedUp,
    UserSignupRepeated,
    UserTokenReuseDetected,
)
from contracts.message import Message
from contracts.outcomes import Rejected, Succeeded
from contracts.personal import PersonalKey
from contracts.times import in_utc
from contracts.topics import MIN_REMEMBERED
from infra.http.user_agents import described
from infra.messaging.inbound import InboundMessage

NewPassword = UserPasswordChanged | UserPasswordReset
CallsForMail = (
    UserSignedUp
    | UserSignupRepeated
    | NewPassword
    | UserEmailChangeRequested
    | UserEmailChanged
    | UserSignedIn
    | UserTokenReuseDetected
    | UserErased
)

VERIFY = "verify"
RESET = "reset"
EMAIL_CHANGE = "email_change"
SIGNUP_REPEATED = "signup_repeated"
ADDRESS_WANTED = "address_wanted"
PASSWORD_CHANGED = "password_changed"  # noqa: S105  # a template
EMAIL_CHANGE_ASKED = "email_change_asked"
EMAIL_CHANGED = "email_changed"
SIGNED_IN = "signed_in"
TOKEN_REUSED = "token_reused"  # noqa: S105  # a template
ERASED = "erased"

LINKS = {
    VERIFY: timedelta(hours=24),
    EMAIL_CHANGE: timedelta(hours=24),
    RESET: timedelta(minutes=30),
    EMAIL_CHANGED: timedelta(days=7),
}
"""The mails with a link, whose token has the same purpose, and how long it works."""
ENDED_BY_MOVE = (VERIFY, EMAIL_CHANGE, RESET)
"""Links that no longer work once a user has another address; one that undoes the change does."""
CONFIRMING = (VERIFY, EMAIL_CHANGE)
"""Links that confirm the address they were mailed to."""

MAILS_WANTED = MIN_REMEMBERED - timedelta(days=1)
"""What happened longer ago calls for no mail: nothing may tell any more that it was sent."""

TOLD_TO_OWNERS = frozenset(
    {PASSWORD_CHANGED, EMAIL_CHANGE_ASKED, EMAIL_CHANGED, SIGNED_IN, TOKEN_REUSED, ERASED}
)
"""What the owner of an account is told of it; all other mails anybody may ask for."""

MAX_ALIKE_AN_HOUR = 2
"""Mails about sign-ins that an owner gets within an hour, so that others have room."""
MAX_NAME_CHARACTERS = 40
_LIKE_A_LINK = re.compile(r"\S*(?:[:/@\\]|\.\w{2,}|\bwww\b)\S*", re.IGNORECASE)
_LIKE_A_NUMBER = re.compile(r"[+(]*\d(?:[\s().+/·\u2013\u2014-]*\d){4,}\)?")


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
    token: Token | None, people: Sequence[Person], email: str
) -> Verify | Succeeded | Rejected:
    """What a token does, given its person, every sign-up of the address it was mailed to, and that.

    A link to another address moves the person. One of a sign-up takes proof, and another slice.
    """
    person = next((p for p in people if token and p.user_id == token.user_id), None)
    if token is None or person is None or person.gone:
        return Rejected("invalid-token")
    if token.used and person.confirmed_at and person.email == email:
        return confirmed(person.confirmed_at)
    others = [p for p in people if p is not person]
    comes = person.waits if token.purpose == VERIFY else not person.superseded
    if token.used or token.voided or not comes or owner_of(others):
        return Rejected("invalid-token")
    if token.expired:
        return Rejected("expired-token")
    if token.purpose == VERIFY:
        return Rejected("proof-required")
    return Verify(person, tuple(p.user_id for p in others if p.waits))


def confirmed(at: datetime) -> Succeeded:
    return Succeeded({"email_confirmed_at": in_utc(at)})


def owner_of(people: Sequence[Person]) -> Person | None:
    """Who has verified the address, if anybody has."""
    return next((p for p in people if p.confirmed_at and not p.gone), None)


def who_waits(people: Sequence[Person]) -> Person | None:
    """The newest sign-up of an address that nobody has verified."""
    waiting = [p for p in people if p.waits]
    if not waiting or owner_of(people):
        return None
    return max(waiting, key=lambda p: (p.created_at, p.user_id))


def changes_of_address(
    events: Sequence[CallsForMail],
) -> tuple[set[UUID], dict[UUID, UserEmailChangeRequested]]:
    """Whose older links to new addresses end, and which new ones are still wanted, in their order.

    A new password ends what was asked for before it: perhaps somebody else asked.
    """
    ended: set[UUID] = set()
    wanted: dict[UUID, UserEmailChangeRequested] = {}
    for event in events:
        match event:
            case UserEmailChangeRequested(user_id=user_id):
                wanted[user_id] = event
                ended.add(user_id)
            case UserPasswordChanged(user_id=user_id) | UserPasswordReset(user_id=user_id):
                wanted.pop(user_id, None)
                ended.add(user_id)
    return ended, wanted


def ready_events(
    batch: Sequence[InboundMessage[Message]], awaited: Collection[UUID]
) -> tuple[list[InboundMessage[Message]], list[InboundMessage[Message]]]:
    """Those that can be handled, and those that wait with or behind an awaited one of their key."""
    ready: list[InboundMessage[Message]] = []
    waiting: list[InboundMessage[Message]] = []
    blocked: set[bytes | None] = set()
    for received in batch:
        if received.envelope.id in awaited:
            blocked.add(received.origin.key)
        (waiting if received.origin.key in blocked else ready).append(received)
    return ready, waiting


def mailed_token(key: bytes, mail_id: UUID) -> str:
    """43 url-safe characters that nobody without the key can make."""
    digest = hmac.digest(key, mail_id.bytes, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a mail waits after a failure: doubling from `first` to `most`, less some jitter.

    Longer if the other side asks for it, up to `most_asked`.
    """

    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(seconds=60)
    most_asked: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(hours=72)

    def asked(self, seconds: float | None) -> timedelta:
        """How much of what the other side asks for is granted."""
        return min(timedelta(seconds=seconds or 0), self.most_asked)

    def delay(
        self, attempts: int, age: timedelta, chance: float, seconds: float | None = None
    ) -> timedelta | None:
        """None when it has been tried for long enough. `chance` is in [0, 1).

        `seconds` is what the other side asks for, if it does.
        """
        if age >= self.give_up:
            return None
        whole: timedelta = min(self.most, self.first * 2 ** min(attempts - 1, 20))
        return max(whole * (1 - chance / 2), self.asked(seconds))


def occasion(at: datetime, client: Mapping[str, Any] | None = None) -> dict[str, str | None]:
    """When something was done and by which client, in words for a mail.

    `client` is `{ip, agent}` of the request, as events have it.
    """
    when = f"{at.astimezone(UTC):%d %B %Y, %H:%M} UTC"
    if not client:
        return {"when": when, "client": None}
    where = f", at {client['ip']}" if client.get("ip") else ""
    return {"when": when, "client": f"{described(client.get('agent'))}{where}"}


def greeted_name(name: str | None) -> str | None:
    """A name as it may stand in a mail: one line, without links and without numbers to call.

    Whoever signs up writes the name, and somebody else may read it. What looks like a link or like
    five and more digits in a row is taken out, also where it is written with full-width characters;
    None when nothing is left.
    """
    text = unicodedata.normalize("NFKC", name or "")
    line = "".join(c if c.isprintable() else " " for c in text).replace("\u3002", ".")
    line = _LIKE_A_NUMBER.sub(" ", _LIKE_A_LINK.sub(" ", line))
    line = " ".join(line.split())[:MAX_NAME_CHARACTERS].strip()
    return line if any(c.isalnum() for c in line) else None
