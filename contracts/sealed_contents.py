"""What a seal holds, by its purpose: the gateway makes it, one worker reads it.

Part of the contract like the data of a message, and in `schemas/baseline.json` with it: processes
of two versions run side by side. Secrets never show in an error or a log.
"""

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.addresses import EmailAddress
from contracts.values import DisplayName

REFRESH_TOKEN = r"^([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}$"  # noqa: S105  # a pattern
"""The session, and the secret that proves it is one's own; both base64url."""

_Password = Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
_MailedToken = Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
_Secret = Annotated[str | None, Field(repr=False)]
_Address = Annotated[EmailAddress, Field(repr=False)]


class SealedContent(BaseModel):
    """What a seal holds. `fingerprint`: the HMAC of the body, where a key made it repeatable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    fingerprint: str | None = None


class Application(SealedContent):
    """Who wants an account."""

    email: _Address
    password: _Password
    display_name: DisplayName | None = None
    signup_secret: _Secret = None

    @property
    def secret_hash(self) -> bytes | None:
        """What is kept of the secret that the gateway answers to whoever signs up."""
        secret = self.signup_secret
        return None if secret is None else hashlib.sha256(secret.encode()).digest()


class Credentials(SealedContent):
    """Who wants to sign in."""

    email: _Address
    password: _Password


class RefreshToken(SealedContent):
    """A refresh token as its holder sent it. `several_tabs`: others may hold the same one."""

    refresh_token: Annotated[str, Field(pattern=REFRESH_TOKEN, repr=False)]
    several_tabs: bool = False


class ProfileChange(SealedContent):
    """What shall be otherwise: only what is set. A name of None takes the name away."""

    display_name: Annotated[DisplayName | None, Field(repr=False)] = None

    def changes(self, name: str | None) -> bool:
        """Whether anything is otherwise afterwards."""
        return "display_name" in self.model_fields_set and self.display_name != name


class PasswordChange(SealedContent):
    """The password before and after."""

    current_password: _Password
    new_password: _Password


class PasswordReset(SealedContent):
    """A mailed token, and what the password shall be."""

    token: _MailedToken
    new_password: _Password


class SignUpProof(SealedContent):
    """A token as it came from a link, and what shows that the sign-up is one's own."""

    token: _MailedToken
    password: _Secret = None
    signup_secret: _Secret = None


class EmailChange(SealedContent):
    """Another address, and proof of who asks."""

    new_email: _Address
    password: _Password


class EmailUndo(SealedContent):
    """A token that was mailed to the former address, and what the password shall be."""

    token: _MailedToken
    new_password: _Password


class Erasure(SealedContent):
    """Proof of who asks."""

    password: _Password


class AdminProof(SealedContent):
    """The access token with which an admin asked."""

    token: Annotated[str, Field(min_length=1, max_length=4_096, repr=False)]


class Redemption(SealedContent):
    """A token as it came from a link."""

    token: _MailedToken


class Address(SealedContent):
    """Whose mail should come once more."""

    email: _Address


CONTENTS: dict[str, type[SealedContent]] = {
    "signup": Application,
    "signin": Credentials,
    "refresh": RefreshToken,
    "profile": ProfileChange,
    "password-change": PasswordChange,
    "password-reset": PasswordReset,
    "confirm-signup": SignUpProof,
    "email-change": EmailChange,
    "email-undo": EmailUndo,
    "erase": Erasure,
    "administration": AdminProof,
    "verify": Redemption,
    "resend": Address,
    "forgot": Address,
}
"""By purpose, which the seal is bound to."""


def content_of(purpose: str, content: dict[str, Any]) -> dict[str, Any]:
    """What is sealed for a purpose: only what the contract has, validated as its reader does.

    Raises `ValueError`, whose text says nothing of the content.
    """
    model = CONTENTS[purpose].model_validate(content)
    return model.model_dump(mode="json", exclude_unset=True)
