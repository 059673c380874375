"""What a mail says, whom it is for, and when it is tried again. Pure."""

import hmac
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import base64url
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


MAILS_WANTED = MIN_REMEMBERED - timedelta(days=1)
"""What happened longer ago calls for no mail: nothing may tell any more that it was sent."""


OWNER_NOTICES = frozenset(
    {PASSWORD_CHANGED, EMAIL_CHANGE_ASKED, EMAIL_CHANGED, SIGNED_IN, TOKEN_REUSED, ERASED}
)
"""Notices to the owner of an account; all other mails can be requested by anyone."""


MAX_ALIKE_AN_HOUR = 2
"""Mails about sign-ins that an owner gets within an hour, so that others have room."""


MAX_NAME_CHARACTERS = 40


_LIKE_A_LINK = re.compile(r"\S*(?:[:/@\\]|\.\w{2,}|\bwww\b)\S*", re.IGNORECASE)


_LIKE_A_NUMBER = re.compile(r"[+(]*\d(?:[\s().+/·\u2013\u2014-]*\d){4,}\)?")


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
    return base64url.encode(digest)


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
