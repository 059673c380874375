"""What a sign-up comes to. Pure."""

import hashlib
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.addresses import EmailAddress
from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.personal import Personal
from contracts.values import DisplayName
from infra.security.sealed_data import SealedContent


class Application(SealedContent):
    """Who wants an account."""

    email: Annotated[EmailAddress, Field(repr=False)]
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    display_name: DisplayName | None = None
    signup_secret: Annotated[str | None, Field(repr=False)] = None

    @property
    def secret_hash(self) -> bytes | None:
        """What is kept of the secret that the gateway answers to whoever signs up."""
        secret = self.signup_secret
        return None if secret is None else hashlib.sha256(secret.encode()).digest()


def decide(
    application: Application, *, owner: UUID | None, new_id: UUID
) -> UserSignedUp | UserSignupRepeated:
    """A new account, unless a verified user owns the address already."""
    email = Personal(application.email)
    if owner is not None:
        return UserSignupRepeated(user_id=owner, email=email)
    name = application.display_name
    return UserSignedUp(
        user_id=new_id, email=email, display_name=None if name is None else Personal(name)
    )
