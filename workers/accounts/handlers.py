"""Every command about accounts and its handler, from the sub-slices."""

from collections.abc import Callable
from typing import Any

from contracts.message import Message
from workers.accounts.administration import handlers as administration
from workers.accounts.confirmation import handlers as confirmation
from workers.accounts.email_undo import handlers as undo
from workers.accounts.passwords import handlers as passwords
from workers.accounts.profile import handlers as profiles
from workers.accounts.sessions import handlers as sessions
from workers.accounts.signin import handlers as signin

HANDLES: dict[type[Message], Callable[..., Any]] = {
    **signin.HANDLES,
    **sessions.HANDLES,
    **profiles.HANDLES,
    **passwords.HANDLES,
    **confirmation.HANDLES,
    **undo.HANDLES,
    **administration.HANDLES,
}
