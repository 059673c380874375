"""What the mailed link of a sign-up comes to. Pure."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.outcomes import Rejected, Succeeded
from contracts.personal import PersonalKey
from contracts.sealed_contents import SignUpProof
from contracts.times import in_utc
from infra.security.mailed_tokens import TokenState, state_of


@dataclass(frozen=True, slots=True)
class SignUpLink:
    """The mailed token of a sign-up, judged by the clock of the database."""

    user_id: UUID
    used: bool = False
    voided: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class SignUp:
    """One sign-up of an address, as its row has it. `ended`: superseded or erased."""

    user_id: UUID
    email: str | None = field(repr=False)
    password_hash: str | None = field(repr=False)
    secret_hash: bytes | None = field(repr=False)
    key: PersonalKey | None = field(default=None, repr=False)
    confirmed_at: datetime | None = None
    ended: bool = False

    @property
    def waits(self) -> bool:
        """Whether it can still be confirmed."""
        return not (self.confirmed_at or self.ended)

    @property
    def is_gone(self) -> bool:
        """Whether it was superseded or erased, so that nothing of it may be read."""
        return self.ended or self.key is None or self.email is None

    def has_secret(self, secret: str | None) -> bool:
        """Whether this is the secret with which the sign-up was answered."""
        if secret is None or self.secret_hash is None:
            return False
        return hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), self.secret_hash)


@dataclass(frozen=True, slots=True)
class Confirmable:
    """A sign-up that its link may confirm, once proven; the others of its address then end."""

    sign_up: SignUp
    others: tuple[UUID, ...]


def redeem(
    link: SignUpLink | None, sign_ups: Sequence[SignUp]
) -> Confirmable | Succeeded | Rejected:
    """What a link does, given every sign-up of the address of the one that it is for."""
    one = next((each for each in sign_ups if link and each.user_id == link.user_id), None)
    if link is None or one is None or one.is_gone:
        return Rejected("invalid-token")
    others = [each for each in sign_ups if each is not one]
    taken = any(each.confirmed_at and not each.ended for each in others)
    match state_of(link), one.waits and not taken:
        case TokenState.USED, _ if one.confirmed_at:
            return confirmed(one.confirmed_at)
        case (TokenState.USED | TokenState.VOIDED, _) | (_, False):
            return Rejected("invalid-token")
        case TokenState.EXPIRED, _:
            return Rejected("expired-token")
        case _:
            return Confirmable(one, tuple(each.user_id for each in others if each.waits))


def unproven(proof: SignUpProof) -> Rejected:
    """Why a link that works confirms nothing."""
    if proof.password is None:
        return Rejected("proof-required", "The signup_secret is that of another sign-up.")
    return Rejected(
        "wrong-password",
        "The password is not the one of this sign-up. If you did not make it, ignore its mail.",
    )


def confirmed(at: datetime) -> Succeeded:
    """Since when the address is confirmed."""
    return Succeeded({"email_confirmed_at": in_utc(at)})
