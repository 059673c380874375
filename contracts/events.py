"""Events: what has happened. Ids and `Personal` fields only, never an address in clear."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.message import Event as _Event
from contracts.personal import Personal
from contracts.values import Symbol, Tier, UserId


class Event(_Event):
    """A fact. `client` is the address and agent of the request that caused it, `{ip, agent}`."""

    client: Personal | None = None


class UserEvent(Event):
    """Something about one user, keyed by the user's id."""

    user_id: UserId


class UserSignedUp(UserEvent):
    """An account was made for an address that nobody has verified."""

    email: Personal
    display_name: Personal | None = None


class UserSignupRepeated(UserEvent):
    """Somebody signed up with the verified address of this user."""

    email: Personal


class UserEmailVerified(UserEvent):
    """The mailed link was used: the address is this user's."""

    email: Personal


class UserVerificationRequested(UserEvent):
    """A new verification mail was asked for; older links stop working."""


class UserMailFailed(UserEvent):
    """A mail was given up after its last attempt."""

    mail_id: str
    template: str


class UserSignedIn(UserEvent):
    """A session began.

    `new_client`: the user has had sessions, and none from this program in this network.
    """

    session_id: str
    new_client: bool = False


class UserSigninFailed(Event):
    """Address and password did not match. `user_id` is null for an address nobody has."""

    user_id: UserId | None = None
    reason: Literal["unknown_address", "wrong_password"]


class UserTokenRefreshed(UserEvent):
    """A session got a new pair of tokens; the refresh token before is spent."""

    session_id: str


class UserTokenReuseDetected(UserEvent):
    """A spent refresh token came back: somebody has a copy. The session was ended."""

    session_id: str


class UserSignedOut(UserEvent):
    """A session was ended from within."""

    session_id: str


class UserSessionRevoked(UserEvent):
    """A session was ended by its user, from this session or another."""

    session_id: str


class UserPasswordResetRequested(UserEvent):
    """A link to set a new password was asked for; older ones stop working."""


class UserPasswordReset(UserEvent):
    """A new password was set with a mailed link; every session has ended."""


class UserPasswordChanged(UserEvent):
    """The password was replaced by who knew it; every other session has ended."""


class UserPasswordCheckFailed(UserEvent):
    """Whoever has a session did not know the password that something asked for.

    `purpose` is `password_change`, `email_change` or `erasure`; there may be others one day.
    """

    purpose: str


class UserEmailChangeRequested(UserEvent):
    """The user wants another address. It may be somebody's, and is not confirmed.

    `session_id` is the session that asked.
    """

    new_email: Personal
    session_id: str | None = None


class UserEmailChanged(UserEvent):
    """The mailed link was used: the user has a new address.

    `former_email` is null where the address before was never confirmed.
    """

    email: Personal
    former_email: Personal | None = None


class UserEmailChangeUndone(UserEvent):
    """Who reads the former address took the account back: it has that address again.

    A new password was set with it, and every session has ended.
    """

    email: Personal
    former_email: Personal


class UserProfileUpdated(UserEvent):
    """The profile changed, and is this now."""

    display_name: Personal | None = None


class UserErased(UserEvent):
    """The user's personal data is gone, and the key to what is kept of it."""


class UserTierChanged(UserEvent):
    """An admin, the actor, moved the user to another tier."""

    former_tier: Tier
    tier: Tier


class UserPermissionsChanged(UserEvent):
    """An admin, the actor, changed what the user may do.

    Without an actor it was `operator`, a user of the machine that `qnt9 user` was run on.
    """

    former_permissions: list[str]
    permissions: list[str]
    operator: str | None = None


class WatchlistItemAdded(UserEvent):
    """A symbol was added, or the note on it changed."""

    symbol: Symbol
    note: Personal | None = None


class WatchlistItemRemoved(UserEvent):
    """A symbol was removed."""

    symbol: Symbol


class QuoteUpdated(Event):
    """A provider gave a new price. Prices are decimal strings."""

    symbol: Symbol
    price: str
    currency: str
    as_of: datetime
    source: str


class QuoteServedStale(Event):
    """A provider failed and the last good quote was served instead."""

    symbol: Symbol
    reason: Literal["circuit_open", "rate_limited", "upstream_error", "timeout"]
    as_of: datetime


class QuoteUnavailable(Event):
    """A provider failed and there was nothing to serve."""

    symbol: Symbol
    reason: Literal["circuit_open", "rate_limited", "upstream_error", "timeout"]


class QuoteHeldBack(Event):
    """A provider's price leapt fifty times or more without a split: it was not shown."""

    symbol: Symbol
    price: str
    currency: str
    quoted_unit: str
    last_price: str
    last_currency: str
    last_quoted_unit: str
    source: str


class QuoteNotFound(Event):
    """A provider does not know the symbol."""

    symbol: Symbol
    source: str


class ProviderCircuitChanged(Event):
    """The circuit breaker around a provider opened, half opened or closed."""

    provider: str
    before: Literal["closed", "open", "half_open"]
    after: Literal["closed", "open", "half_open"]
    reason: str | None = None


class ProviderRateLimited(Event):
    """A provider asked us to stop until a time."""

    provider: str
    until: datetime


class OpsEvent(Event):
    """Something an operator did by hand: `operator` is a user of the machine it was done on."""

    operator: str
    reason: str


class OpsReplayed(OpsEvent):
    """A range of a topic was sent again, to a topic or a fresh group of the operator's naming.

    `ranges` has partition, first offset and the offset it ended before; `records` how many were
    chosen of it.
    """

    topic: str
    destination: str
    ranges: list[tuple[int, int, int]]
    records: int
    only_type: str | None = None
    only_key: str | None = None


class OpsRedriven(OpsEvent):
    """Dead letters were sent again to the one consumer that had failed on them."""

    dead_letters: str
    offsets: list[int]
    message_ids: list[UUID]


class OpsDiscarded(OpsEvent):
    """Dead letters were given up; commands among them have failed for good."""

    dead_letters: str
    offsets: list[int]
    message_ids: list[UUID]


class OpsRecovered(OpsEvent):
    """A restored database was brought up to what Kafka knows, or the other way round.

    `groups` has the consumer groups that were moved back, and how many messages each handles
    again; `events` is how many events were published that the database had lost. `refilled` has
    topic, partition, first offset and the offset it ends before of ranges in which events were
    published again from the audit log, which have their ids, keys, content and times of before.
    """

    recovery_id: UUID
    groups: dict[str, int]
    events: int
    refilled: list[tuple[str, int, int, int]] = Field(default_factory=list)


class OpsConsumerResumed(OpsEvent):
    """A consumer that was paused because its handler failed on many messages goes on."""

    consumer: str
    was_paused_for: str


class OpsConsumerInstructed(OpsEvent):
    """A consumer does not handle some of the records that waited for it.

    `action` is `skip` (commands among them have failed) or `set-aside` (they become dead letters);
    there may be others one day. `ranges` has topic, partition, first offset and the offset it ends
    before; `records` how many were there.
    """

    consumer: str
    action: str
    ranges: list[tuple[str, int, int, int]]
    records: int
    only_type: str | None = None
    only_key: str | None = None


class AuditCheckpointed(Event):
    """Where the hash chains of the audit log ended, for who wants to prove the log later.

    `signed` is a JWS with the head of each chain; `root` is their Merkle tree hash, in hex.
    """

    root: str
    entries: int
    signed: str
