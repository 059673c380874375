"""What the commands that take a password contain. Pure."""

from contracts.commands import ChangeEmail, ChangePassword, EraseAccount
from contracts.events import UserPasswordCheckFailed
from contracts.message import Command
from workers.accounts.rules import Account

_ASKED_FOR: dict[type[Command], str] = {
    ChangePassword: "password_change",
    ChangeEmail: "email_change",
    EraseAccount: "erasure",
}


def unproven(command: Command, account: Account) -> UserPasswordCheckFailed:
    """The event of a command whose password was not the actor's."""
    purpose = _ASKED_FOR[type(command)]
    return UserPasswordCheckFailed(user_id=account.user_id, purpose=purpose)
