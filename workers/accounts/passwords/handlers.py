"""Commands that take a password: it is changed or reset, or proves who asks."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from contracts.commands import ChangeEmail, ChangePassword, EraseAccount, ResetPassword
from contracts.events import (
    UserEmailChangeRequested,
    UserErased,
    UserPasswordChanged,
    UserPasswordReset,
)
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import (
    EmailChange,
    Erasure,
    PasswordChange,
    PasswordReset,
    SealedContent,
)
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction
from infra.postgres.pool import Connection
from infra.security.mailed_tokens import token_hash
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.passwords import store
from workers.accounts.passwords.rules import unproven
from workers.accounts.rules import MAX_OPTIMISTIC_RETRIES, Account, refusal, weakness
from workers.accounts.store import Locked, end_sessions, lock_account

C = TypeVar("C", bound=SealedContent)
Lock = Callable[[Connection, Account], Awaitable[Locked | None]]
Prepare = Callable[[], Awaitable[None]]
Act = Callable[[Transaction, Locked], Awaitable[Outcome]]


async def change_password(deps: AccountsDeps, received: InboundMessage[ChangePassword]) -> None:
    """Whoever has stolen a session is out; the one that asked stays."""
    change = _opened(deps, received, "password-change", PasswordChange)
    new_hash: str | None = None

    async def renew() -> None:
        nonlocal new_hash
        async with deps.passwords.slot() as slot:
            new_hash = await slot.hash(change.new_password)

    async def act(tx: Transaction, user: Locked) -> Outcome:
        assert new_hash
        if weak := weakness(change.new_password, user.account.email):
            return weak
        event = UserPasswordChanged(user_id=user.account.user_id)
        await _set_password(tx, user, new_hash, keep=received.data.session_id)
        tx.emit(event, about=event.user_id, caused_by=received, key=user.key)
        return Succeeded()

    await _with_password(deps, received, change, change.current_password, act, prepare=renew)


async def reset_password(deps: AccountsDeps, received: InboundMessage[ResetPassword]) -> None:
    """Single use. Nothing is hashed for a token that does not work anyway."""
    reset = _opened(deps, received, "password-reset", PasswordReset)
    hashed = token_hash(reset.token)
    async with deps.pool.acquire() as conn:
        outcome: Outcome | None = refusal(await store.find_mailed_token(conn, hashed))
    new_hash = ""
    if outcome is None:
        async with deps.passwords.slot() as slot:
            new_hash = await slot.hash(reset.new_password)
    async with deps.transactions.begin() as tx:
        user = await store.lock_recipient(tx.conn, hashed) if new_hash else None
        if user:
            outcome = refusal(await store.find_mailed_token(tx.conn, hashed))
            outcome = outcome or weakness(reset.new_password, user.account.email)
        if user and outcome is None:
            await store.use_mailed_token(tx.conn, hashed)
            await _set_password(tx, user, new_hash)
            event = UserPasswordReset(user_id=user.account.user_id)
            tx.emit(event, about=event.user_id, caused_by=received, key=user.key)
            outcome = Succeeded()
        outcome = outcome or Rejected("invalid-token")
        tx.complete(received, outcome, fingerprint=reset.fingerprint)


async def change_email(deps: AccountsDeps, received: InboundMessage[ChangeEmail]) -> None:
    """Nothing changes yet, and whether somebody has the address is not looked up here."""
    change = _opened(deps, received, "email-change", EmailChange)
    session_id = received.data.session_id

    async def act(tx: Transaction, user: Locked) -> Outcome:
        if not user.account.has_address(change.new_email):
            event = UserEmailChangeRequested(
                user_id=user.account.user_id,
                new_email=Personal(change.new_email),
                session_id=str(session_id) if session_id else None,
            )
            tx.emit(event, about=event.user_id, caused_by=received, key=user.key)
        return Succeeded()

    await _with_password(deps, received, change, change.password, act)


async def erase_account(deps: AccountsDeps, received: InboundMessage[EraseAccount]) -> None:
    """The event says who is gone and nothing more: the key to anything else is, too."""
    erasure = _opened(deps, received, "erase", Erasure)

    async def act(tx: Transaction, user: Locked) -> Outcome:
        if user.account.email and user.account.verified:
            await store.keep_farewell(tx.conn, user.account.user_id, user.account.email)
        for user_id in await store.erase(tx.conn, user.account.user_id):
            tx.user_changed(user_id)
            tx.emit(UserErased(user_id=user_id), about=user_id, caused_by=received)
        return Succeeded()

    async def lock(conn: Connection, account: Account) -> Locked | None:
        await store.lock_address(conn, account.user_id)
        return await lock_account(conn, account)

    await _with_password(deps, received, erasure, erasure.password, act, lock=lock)


async def _with_password(
    deps: AccountsDeps,
    received: InboundMessage[Any],
    content: SealedContent,
    password: str,
    act: Act,
    *,
    prepare: Prepare | None = None,
    lock: Lock = lock_account,
) -> None:
    """Act on the actor's account, locked, if this is its password; settle the command.

    One that changed while the password was checked is looked at anew, `MAX_OPTIMISTIC_RETRIES`
    times at most. `prepare` runs before the lock, where the password matches.
    """
    user_id = _actor(received)
    for _ in range(MAX_OPTIMISTIC_RETRIES):
        account = await store.find_user(deps.pool, user_id)
        if account is None:
            await _reject(deps, received, content, "unknown-user")
            return
        matches = await _matches(deps, password, account, prepare)
        async with deps.transactions.begin() as tx:
            if user := await lock(tx.conn, account):
                outcome = await act(tx, user) if matches else _refuse(tx, received, user)
                tx.complete(received, outcome, fingerprint=content.fingerprint)
                return
    await _reject(deps, received, content, "try-again")


async def _matches(
    deps: AccountsDeps, password: str, account: Account, prepare: Prepare | None
) -> bool:
    """Whether it is the account's password; if so, what comes before the lock is done, too."""
    async with deps.passwords.slot() as slot:
        matches = await slot.matches(password, account.password_hash)
    if matches and prepare:
        await prepare()
    return matches


async def _reject(
    deps: AccountsDeps, received: InboundMessage[Any], content: SealedContent, code: str
) -> None:
    async with deps.transactions.begin() as tx:
        tx.complete(received, Rejected(code), fingerprint=content.fingerprint)


def _refuse(tx: Transaction, received: InboundMessage[Any], user: Locked) -> Rejected:
    """Whoever holds a stolen token and guesses is in the log that the owner reads."""
    event = unproven(received.data, user.account)
    tx.emit(event, about=event.user_id, caused_by=received, key=user.key)
    return Rejected("wrong-password")


async def _set_password(
    tx: Transaction, user: Locked, password_hash: str, keep: UUID | None = None
) -> None:
    """Every session ends but the one that is kept."""
    user_id = user.account.user_id
    await store.set_password(tx.conn, user_id, password_hash)
    for session_id in await end_sessions(tx.conn, user_id, keep):
        tx.session_ended(session_id)
    tx.user_changed(user_id)


def _opened(deps: AccountsDeps, received: InboundMessage[Any], purpose: str, holds: type[C]) -> C:
    return open_seal(
        deps.seals, received.data.sealed, of=received.envelope, purpose=purpose, holds=holds
    )


def _actor(received: InboundMessage[Any]) -> UUID:
    if received.envelope.actor_id is None:
        raise PoisonError("a command about an account without an actor")
    return received.envelope.actor_id


HANDLES: Handlers[AccountsDeps] = {
    ChangePassword: change_password,
    ResetPassword: reset_password,
    ChangeEmail: change_email,
    EraseAccount: erase_account,
}
