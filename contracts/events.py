"""Events: what has happened. They hold ids and `Personal` fields, never an address in clear."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.message import Event as _Event
from contracts.personal import Personal
from contracts.values import Symbol, Tier, UserId


class Event(_Event):
    """A fact. `client` is the address and agent of the request that caused it, as `{ip, agent}`."""

    client: Personal | None = None


class UserEvent(Event):
    """An event about one user. The record key is the user's id."""

    user_id: UserId


class UserSignedUp(UserEvent):
    """An account was created for an unverified address."""

    email: Personal
    display_name: Personal | None = None


class UserSignupRepeated(UserEvent):
    """A sign-up used the verified address of this user."""

    email: Personal


class UserEmailVerified(UserEvent):
    """The mailed link was used, so the address belongs to this user."""

    email: Personal


class UserVerificationRequested(UserEvent):
    """A new verification mail was requested. Older links stop working."""


class UserMailFailed(UserEvent):
    """A mail was abandoned after its last attempt."""

    mail_id: str
    template: str


class UserSignedIn(UserEvent):
    """A session started.

    `new_client` is true if the user had sessions before, but none from this program and network.
    """

    session_id: str
    new_client: bool = False


class UserSigninFailed(Event):
    """Address and password did not match. `user_id` is null if no user has the address."""

    user_id: UserId | None = None
    reason: Literal["unknown_address", "wrong_password"]


class UserTokenRefreshed(UserEvent):
    """A session received new tokens. The previous refresh token is used up."""

    session_id: str


class UserTokenReuseDetected(UserEvent):
    """A used refresh token was sent again, so it was copied. The session was ended."""

    session_id: str


class UserSignedOut(UserEvent):
    """A session was ended with its own access token."""

    session_id: str


class UserSessionRevoked(UserEvent):
    """A session was ended by its user, from this session or another.

    Without an actor it was `operator`, a user of the machine that `qnt9 user` was run on.
    """

    session_id: str
    operator: str | None = None


class UserPasswordResetRequested(UserEvent):
    """A link to set a new password was requested. Older links stop working."""


class UserPasswordReset(UserEvent):
    """A new password was set with a mailed link. Every session has ended."""


class UserPasswordChanged(UserEvent):
    """The user replaced the password. Every other session has ended."""


class UserPasswordCheckFailed(UserEvent):
    """A wrong password was sent from a session, for an action that requires it.

    `purpose` is `password_change`, `email_change` or `erasure`. More values may follow.
    """

    purpose: str


class UserEmailChangeRequested(UserEvent):
    """The user requested an address change. The new address may be in use and is not confirmed.

    `session_id` is the session that sent the request.
    """

    new_email: Personal
    session_id: str | None = None


class UserEmailChanged(UserEvent):
    """The mailed link was used, so the user has a new address.

    `former_email` is null if the previous address was never confirmed.
    """

    email: Personal
    former_email: Personal | None = None


class UserEmailChangeUndone(UserEvent):
    """The owner of the former address undid the address change.

    A new password was set in the same step, and every session has ended.
    """

    email: Personal
    former_email: Personal


class UserProfileUpdated(UserEvent):
    """The profile changed. The fields have the new values."""

    display_name: Personal | None = None


class UserErased(UserEvent):
    """The user was erased: personal data and the key to encrypted copies are deleted."""


class UserTierChanged(UserEvent):
    """An admin (the actor) changed the tier of the user."""

    former_tier: Tier
    tier: Tier


class UserPermissionsChanged(UserEvent):
    """An admin (the actor) changed the permissions of the user.

    Without an actor, `operator` did it: a user name on the machine where `qnt9 user` ran.
    """

    former_permissions: list[str]
    permissions: list[str]
    operator: str | None = None


class UserCommandExpired(Event):
    """A command had waited as a dead letter for too long and was given up: it has failed.

    `user_id` is null for a command that nobody was signed in for; its key is the command's id.
    """

    user_id: UserId | None = None
    command_id: UUID
    command_type: str
    consumer: str
    set_aside_at: datetime


class WatchlistItemAdded(UserEvent):
    """A symbol was added to the watchlist, or its note changed."""

    symbol: Symbol
    note: Personal | None = None


class WatchlistItemRemoved(UserEvent):
    """A symbol was removed from the watchlist."""

    symbol: Symbol


class WatchlistReordered(UserEvent):
    """The watchlist has another order: all of its symbols, the first one first."""

    symbols: tuple[Symbol, ...]


class QuoteUpdated(Event):
    """A provider returned a new price. Prices are decimal strings."""

    symbol: Symbol
    price: str
    currency: str
    as_of: datetime
    source: str


class QuoteServedStale(Event):
    """A provider failed, and the last good quote was served instead."""

    symbol: Symbol
    reason: Literal["circuit_open", "rate_limited", "upstream_error", "timeout"]
    as_of: datetime


class QuoteUnavailable(Event):
    """A provider failed, and there was no quote to serve."""

    symbol: Symbol
    reason: Literal["circuit_open", "rate_limited", "upstream_error", "timeout"]


class QuoteHeldBack(Event):
    """A price changed by a factor of fifty or more without a split. It was not served."""

    symbol: Symbol
    price: str
    currency: str
    quoted_unit: str
    last_price: str
    last_currency: str
    last_quoted_unit: str
    source: str


class QuoteNotFound(Event):
    """The provider does not have the symbol."""

    symbol: Symbol
    source: str


class ProviderCircuitChanged(Event):
    """The circuit breaker around a provider opened, half opened or closed."""

    provider: str
    before: Literal["closed", "open", "half_open"]
    after: Literal["closed", "open", "half_open"]
    reason: str | None = None


class ProviderRateLimited(Event):
    """A provider refused requests until the given time."""

    provider: str
    until: datetime


class AuditCheckpointed(Event):
    """The signed heads of the audit log's hash chains at one time.

    `signed` is a JWS with the head of each chain. `root` is their Merkle tree hash in hex.
    """

    root: str
    entries: int
    signed: str
