"""Every command about accounts and its handler, from the sub-slices."""

from infra.messaging.dispatch import Handlers
from workers.accounts.administration import handlers as administration
from workers.accounts.confirmation import handlers as confirmation
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.email_undo import handlers as undo
from workers.accounts.passwords import handlers as passwords
from workers.accounts.profile import handlers as profiles
from workers.accounts.sessions import handlers as sessions
from workers.accounts.signin import handlers as signin

HANDLES: Handlers[AccountsDeps] = {
    **signin.HANDLES,
    **sessions.HANDLES,
    **profiles.HANDLES,
    **passwords.HANDLES,
    **confirmation.HANDLES,
    **undo.HANDLES,
    **administration.HANDLES,
}
