"""Commands about what users say of themselves."""

from contracts.commands import UpdateProfile
from contracts.events import UserProfileUpdated
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import ProfileChange
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.sealed_data import open_seal
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.profile import store


async def update_profile(deps: AccountsDeps, received: InboundMessage[UpdateProfile]) -> None:
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


HANDLES: Handlers[AccountsDeps] = {
    UpdateProfile: update_profile,
}
