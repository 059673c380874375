"""Commands about what users say of themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.commands import UpdateProfile
from contracts.events import UserProfileUpdated
from contracts.message import Message
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import ProfileChange
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.transaction import Transactions
from infra.security.sealed_data import open_seal
from infra.security.seals import OpeningKeys
from workers.accounts.profile import store


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """What the commands about profiles work with."""

    transactions: Transactions
    seals: OpeningKeys


async def update_profile(deps: Profiles, received: InboundMessage[UpdateProfile]) -> None:
    """The outcome holds nothing of the profile, which would outlive it in the inbox."""
    user_id = received.envelope.actor_id
    if user_id is None:
        raise PoisonError("a profile without an actor")
    change = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="profile",
        holds=ProfileChange,
    )
    async with deps.transactions.begin() as tx:
        profile = await store.lock_profile(tx.conn, user_id)
        outcome: Outcome = Succeeded() if profile else Rejected("unknown-user")
        if profile and change.changes(profile.display_name):
            name = change.display_name
            await store.set_display_name(tx.conn, user_id, name)
            event = UserProfileUpdated(
                user_id=user_id, display_name=None if name is None else Personal(name)
            )
            tx.emit(event, about=user_id, caused_by=received, key=profile.key)
        tx.complete(received, outcome, fingerprint=change.fingerprint)


HANDLES: dict[type[Message], Callable[[Profiles, InboundMessage[Any]], Any]] = {
    UpdateProfile: update_profile,
}
