"""Confirming a sign-up: its mailed link, with proof of whose sign-up it is.

The link shows that somebody reads the mailbox, the proof that this person chose the password. So a
link never makes a password valid that somebody else chose, whoever presses it.
"""

from contracts.commands import ConfirmSignUp
from contracts.events import UserEmailVerified, UserPasswordCheckFailed
from contracts.outcomes import Outcome, Rejected
from contracts.personal import Personal
from contracts.sealed_contents import SignUpProof
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction
from infra.security.mailed_tokens import token_hash
from workers.accounts.confirmation import store
from workers.accounts.confirmation.rules import Confirmable, SignUp, confirmed, redeem, unproven
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.rules import MAX_OPTIMISTIC_RETRIES


async def confirm_sign_up(deps: AccountsDeps, received: InboundMessage[ConfirmSignUp]) -> None:
    """Single use; whoever comes second finds it done, or the address somebody else's.

    The password is compared outside of the transaction, and again where it changed meanwhile.
    """
    proof = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="confirm-signup",
        holds=SignUpProof,
    )
    hashed = token_hash(proof.token)
    for _ in range(MAX_OPTIMISTIC_RETRIES):
        async with deps.pool.acquire() as conn:
            seen = redeem(
                await store.find_link(conn, hashed),
                await store.find_sign_ups(conn, hashed, lock=False),
            )
        proven = isinstance(seen, Confirmable) and await _proves(deps, proof, seen.sign_up)
        async with deps.transactions.begin() as tx:
            sign_ups = await store.find_sign_ups(tx.conn, hashed, lock=True)
            now = redeem(await store.find_link(tx.conn, hashed), sign_ups)
            if isinstance(now, Confirmable) and not _same(seen, now):
                continue
            outcome: Outcome
            if not isinstance(now, Confirmable):
                outcome = now
            elif proven:
                outcome = await _confirm(tx, received, now, hashed)
            else:
                outcome = _refuse(tx, received, now.sign_up, proof)
            tx.complete(received, outcome, fingerprint=proof.fingerprint)
            return
    async with deps.transactions.begin() as tx:
        tx.complete(received, Rejected("try-again"), fingerprint=proof.fingerprint)


def _same(seen: object, now: Confirmable) -> bool:
    """Whether what was proven is what would be confirmed."""
    return (
        isinstance(seen, Confirmable)
        and seen.sign_up.user_id == now.sign_up.user_id
        and seen.sign_up.password_hash == now.sign_up.password_hash
    )


async def _proves(deps: AccountsDeps, proof: SignUpProof, sign_up: SignUp) -> bool:
    if sign_up.has_secret(proof.signup_secret):
        return True
    if proof.password is None:
        return False
    async with deps.passwords.slot() as slot:
        return await slot.matches(proof.password, sign_up.password_hash)


async def _confirm(
    tx: Transaction,
    received: InboundMessage[ConfirmSignUp],
    confirmable: Confirmable,
    hashed: bytes,
) -> Outcome:
    sign_up = confirmable.sign_up
    assert sign_up.email
    await store.end_others(tx.conn, sign_up.user_id, confirmable.others)
    at = await store.confirm(tx.conn, sign_up.user_id, hashed)
    for user_id in (sign_up.user_id, *confirmable.others):
        tx.user_changed(user_id)
    event = UserEmailVerified(user_id=sign_up.user_id, email=Personal(sign_up.email))
    tx.emit(event, about=event.user_id, caused_by=received, key=sign_up.key)
    return confirmed(at)


def _refuse(
    tx: Transaction, received: InboundMessage[ConfirmSignUp], sign_up: SignUp, proof: SignUpProof
) -> Rejected:
    if proof.password is not None:
        event = UserPasswordCheckFailed(user_id=sign_up.user_id, purpose="signup")
        tx.emit(event, about=event.user_id, caused_by=received, key=sign_up.key)
    return unproven(proof)


HANDLES: Handlers[AccountsDeps] = {
    ConfirmSignUp: confirm_sign_up,
}
