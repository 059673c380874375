"""A change of address is undone by whoever reads the former address, for seven days.

Whoever changed the address knew the password, so the account gets a new one in the same step.
"""

from contracts.commands import UndoEmailChange
from contracts.events import UserEmailChangeUndone
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import EmailUndo
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction
from infra.security.address_hmac import address_hash
from infra.security.mailed_tokens import token_hash
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.email_undo import store
from workers.accounts.email_undo.store import Change
from workers.accounts.rules import refusal, weakness
from workers.accounts.store import end_sessions


async def undo_email_change(deps: AccountsDeps, received: InboundMessage[UndoEmailChange]) -> None:
    """Single use. Nothing is hashed for a token that does not work anyway."""
    undo = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="email-undo",
        holds=EmailUndo,
    )
    hashed = token_hash(undo.token)
    async with deps.pool.acquire() as conn:
        change = await store.find_change(conn, hashed, lock=False)
    outcome: Outcome | None = refusal(change.token if change else None)
    new_hash = ""
    if change and outcome is None:
        async with deps.passwords.slot() as slot:
            new_hash = await slot.hash(undo.new_password)
    async with deps.transactions.begin() as tx:
        if change and new_hash:
            outcome = await _undo(deps, tx, received, undo, seen=change, new_hash=new_hash)
        assert outcome
        tx.complete(received, outcome, fingerprint=undo.fingerprint)


async def _undo(
    deps: AccountsDeps,
    tx: Transaction,
    received: InboundMessage[UndoEmailChange],
    undo: EmailUndo,
    *,
    seen: Change,
    new_hash: str,
) -> Outcome:
    user_id, hashed = seen.user.account.user_id, token_hash(undo.token)
    former = str(seen.user.key.decrypt(seen.address))
    address = address_hash(deps.address_key, former)
    is_free = await store.hold_address(tx.conn, address, user_id)
    change = await store.find_change(tx.conn, hashed, lock=True)
    if refused := refusal(change.token if change else None):
        return refused
    assert change
    account = change.user.account
    if not is_free:
        return Rejected("address-taken")
    if weak := weakness(undo.new_password, former):
        return weak
    await store.give_back(
        tx.conn, user_id, email=former, address_hash=address, password_hash=new_hash
    )
    await store.use_token(tx.conn, change, hashed)
    for session_id in await end_sessions(tx.conn, user_id, None):
        tx.session_ended(session_id)
    tx.user_changed(user_id)
    event = UserEmailChangeUndone(
        user_id=user_id, email=Personal(former), former_email=Personal(account.email)
    )
    tx.emit(event, about=user_id, caused_by=received, key=change.user.key)
    return Succeeded()


HANDLES: Handlers[AccountsDeps] = {
    UndoEmailChange: undo_email_change,
}
