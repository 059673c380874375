"""Commands of admins about other users, or about themselves."""

from datetime import UTC, datetime
from uuid import UUID

from contracts.commands import ChangePermissions, ChangeTier
from contracts.outcomes import Rejected, Succeeded
from contracts.sealed_contents import AdminProof
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.sealed_data import open_seal
from infra.security.access_tokens import TokenError
from workers.accounts.administration import store
from workers.accounts.administration.rules import decide, known, reported
from workers.accounts.dependencies import AccountsDeps


async def change_standing(
    deps: AccountsDeps, received: InboundMessage[ChangeTier | ChangePermissions]
) -> None:
    """Whether the actor is an admin, and not the last one, is decided with all admins locked.

    That the actor asked is proven by an access token that was valid when the broker took the
    command, and whose session stands: whoever can publish commands cannot make one. Who asked is
    encrypted under the admin's key, for it is the admin's address.
    """
    actor_id, user_id = received.envelope.actor_id, received.data.user_id
    if actor_id is None:
        raise PoisonError("a command of an admin without an actor")
    if not known(received.data):
        raise PoisonError("a permission that is not known here")
    session_id = _proven_session(deps, received, actor_id)
    async with deps.transactions.begin() as tx:
        if session_id is None or not await store.session_stands(tx.conn, session_id, actor_id):
            tx.complete(received, Rejected("forbidden"))
            return
        locked = await store.lock_standings(tx.conn, user_id)
        standings = {each: one.standing for each, one in locked.items()}
        after = decide(received.data, actor_id=actor_id, standings=standings)
        if isinstance(after, Rejected):
            tx.complete(received, after)
            return
        if event := reported(standings[user_id], after):
            await store.save(tx.conn, after)
            tx.user_changed(user_id)
            tx.emit(event, about=user_id, caused_by=received, key=locked[actor_id].key)
        tx.complete(received, Succeeded(after.displayed()))


def _proven_session(
    deps: AccountsDeps, received: InboundMessage[ChangeTier | ChangePermissions], actor_id: UUID
) -> UUID | None:
    """The session of the token that the actor asked with. None where that is not proven."""
    if received.data.proof is None:
        return None
    proof = open_seal(
        deps.seals,
        received.data.proof,
        of=received.envelope,
        purpose="administration",
        holds=AdminProof,
    )
    taken_at = datetime.fromtimestamp(received.origin.timestamp_ms / 1000, UTC)
    try:
        principal = deps.checker.check(proof.token, at=taken_at)
    except TokenError:
        return None
    return principal.session_id if principal.user_id == actor_id else None


HANDLES: Handlers[AccountsDeps] = {
    ChangeTier: change_standing,
    ChangePermissions: change_standing,
}
