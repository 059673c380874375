"""What a sign-up comes to. Pure."""

from uuid import UUID

from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.personal import Personal
from contracts.sealed_contents import Application


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
