"""Commands of admins about other users, or about themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts.commands import ChangePermissions, ChangeTier
from contracts.message import Message
from contracts.outcomes import Rejected, Succeeded
from infra.postgres.transaction import Transactions
from infra.received import PoisonError, Received
from workers.accounts import administration_store as store
from workers.accounts.administration_rules import decide, known, told


@dataclass(frozen=True, kw_only=True)
class Administration:
    """What the commands of admins work with."""

    transactions: Transactions


async def change_standing(
    slice_: Administration, received: Received[ChangeTier | ChangePermissions]
) -> None:
    """Whether the actor is an admin, and not the last one, is decided with all admins locked.

    Who asked is encrypted under the admin's key, for it is the admin's address.
    """
    actor_id, user_id = received.envelope.actor_id, received.data.user_id
    if actor_id is None:
        raise PoisonError("a command of an admin without an actor")
    if not known(received.data):
        raise PoisonError("a permission that is not known here")
    async with slice_.transactions.begin() as tx:
        locked = await store.lock_standings(tx.conn, user_id)
        standings = {each: one.standing for each, one in locked.items()}
        after = decide(received.data, actor_id=actor_id, standings=standings)
        if isinstance(after, Rejected):
            tx.settle(received, after)
            return
        if event := told(standings[user_id], after):
            await store.save(tx.conn, after)
            tx.user_changed(user_id)
            tx.emit(event, about=user_id, caused_by=received, key=locked[actor_id].key)
        tx.settle(received, Succeeded(after.shown()))


HANDLES: dict[type[Message], Callable[[Administration, Received[Any]], Any]] = {
    ChangeTier: change_standing,
    ChangePermissions: change_standing,
}
