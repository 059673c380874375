"""What signs in, and what a failure tells. Pure."""

from dataclasses import dataclass, field

from contracts.events import UserSigninFailed
from workers.accounts.rules import Account


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the password is the account's; a new hash where the old one's work is out of date."""

    matches: bool
    renewed_hash: str | None = field(default=None, repr=False)


def failure(account: Account | None) -> UserSigninFailed:
    """The event of a failed sign-in; the client does not learn the reason."""
    if account is None:
        return UserSigninFailed(reason="unknown_address")
    return UserSigninFailed(user_id=account.user_id, reason="wrong_password")
