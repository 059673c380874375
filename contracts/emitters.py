"""Which process emits which events: the only ones that its database role may put in the outbox.

Each slice's `__init__` says the same in words, and a test compares the two. The operator's tools
act as the owner of the database and may emit every event.
"""

from contracts import events
from contracts.events import Event
from contracts.topics import CARRIED_BY

EMITTED_BY: dict[str, tuple[type[Event], ...]] = {
    "signup": (events.UserSignedUp, events.UserSignupRepeated, events.UserCommandExpired),
    "accounts": (
        events.UserSignedIn,
        events.UserSigninFailed,
        events.UserTokenRefreshed,
        events.UserTokenReuseDetected,
        events.UserSignedOut,
        events.UserSessionRevoked,
        events.UserPasswordChanged,
        events.UserPasswordCheckFailed,
        events.UserPasswordReset,
        events.UserEmailVerified,
        events.UserEmailChangeRequested,
        events.UserEmailChangeUndone,
        events.UserProfileUpdated,
        events.UserErased,
        events.UserTierChanged,
        events.UserPermissionsChanged,
        events.UserCommandExpired,
    ),
    "verification": (
        events.UserEmailChanged,
        events.UserVerificationRequested,
        events.UserPasswordResetRequested,
        events.UserMailFailed,
        events.UserCommandExpired,
    ),
    "watchlist": (
        events.WatchlistItemAdded,
        events.WatchlistItemRemoved,
        events.WatchlistReordered,
        events.UserCommandExpired,
    ),
    "quotes": (
        events.QuoteUpdated,
        events.QuoteServedStale,
        events.QuoteUnavailable,
        events.QuoteNotFound,
        events.QuoteHeldBack,
        events.ProviderCircuitChanged,
        events.ProviderRateLimited,
    ),
}

EMITTED_FOR_CONSUMERS = (events.UserCommandExpired,)
"""What `infra.messaging.dead_letter_expiry` emits for every process that executes commands."""


def types_by_aggregate(process: str) -> dict[str, tuple[str, ...]]:
    """The types of the events that a process emits, by the outbox' `aggregatetype`.

    An event of the aggregate type `users` is published on the topic `users.events`.
    """
    found: dict[str, list[str]] = {}
    for event in EMITTED_BY.get(process, ()):
        aggregate, _, _ = CARRIED_BY[event].name.rpartition(".")
        found.setdefault(aggregate, []).append(event.type)
    return {aggregate: tuple(sorted(types)) for aggregate, types in sorted(found.items())}
