"""Commands about accounts."""

from datetime import datetime
from enum import Enum, auto
from uuid import UUID

from contracts.commands import SignIn
from contracts.events import UserSignedIn, UserSigninFailed
from contracts.ids import derived_uuid7
from contracts.outcomes import Rejected
from contracts.personal import PersonalKey
from contracts.sealed_contents import Credentials
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction
from infra.postgres.personal_data_keys import day_key
from infra.security.address_hmac import address_hash
from infra.security.client_cipher import Client
from infra.security.mailed_tokens import token_hash
from infra.security.password_hashing import HashingSlot
from infra.security.refresh_tokens import refresh_token
from infra.security.seals import SealingKey, binding
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.rules import MAX_OPTIMISTIC_RETRIES, Account
from workers.accounts.signin import store
from workers.accounts.signin.rules import Check, failure
from workers.accounts.store import Locked, lock_account
from workers.accounts.tokens import deadline_now, reply_key_of, sealed_tokens


class Attempt(Enum):
    """What one look at the account came to."""

    SETTLED = auto()
    TOO_LATE = auto()
    CHANGED = auto()
    """The account changed while its password was checked."""


async def sign_in(deps: AccountsDeps, received: InboundMessage[SignIn]) -> None:
    """A session before the deadline, or none: after it, nobody is left to take the tokens.

    An account that changed while its password was checked is looked at anew: a changed password
    wins over a sign-in with the old one, and a hash that another sign-in renewed harms nobody.
    """
    deadline = await deadline_now(deps.transactions, received, deps.now())
    attempt = Attempt.TOO_LATE
    if deps.now() < deadline:
        reply_key = reply_key_of(received.data)
        credentials = open_seal(
            deps.seals,
            received.data.sealed,
            of=received.envelope,
            purpose="signin",
            holds=Credentials,
        )
        for _ in range(MAX_OPTIMISTIC_RETRIES):
            attempt = await _attempt(deps, received, credentials, reply_key, deadline)
            if attempt is not Attempt.CHANGED:
                break
    if attempt is not Attempt.SETTLED:
        async with deps.transactions.begin() as tx:
            tx.complete(received, Rejected("try-again"))


async def _attempt(
    deps: AccountsDeps,
    received: InboundMessage[SignIn],
    credentials: Credentials,
    reply_key: SealingKey,
    deadline: datetime,
) -> Attempt:
    """Check the password, then settle the command if the account is still the one checked."""
    address = address_hash(deps.address_key, credentials.email)
    account = await store.find_account(deps.pool, address)
    async with deps.passwords.slot() as slot:
        if deps.now() >= deadline:
            return Attempt.TOO_LATE
        check = await _check(slot, credentials.password, account)
    async with deps.transactions.begin() as tx:
        locked = await lock_account(tx.conn, account) if account else None
        if deps.now() >= deadline:
            return Attempt.TOO_LATE
        if account is None:
            _refuse(tx, received, failure(None), about=address, key=await day_key(tx.conn))
        elif locked is None:
            return Attempt.CHANGED
        elif check.matches:
            await _begin_session(
                deps, tx, received, locked=locked, check=check, reply_key=reply_key
            )
        else:
            _refuse(tx, received, failure(account), about=account.user_id, key=locked.key)
    return Attempt.SETTLED


async def _check(slot: HashingSlot, password: str, account: Account | None) -> Check:
    known = account.password_hash if account else None
    if not await slot.matches(password, known) or known is None:
        return Check(matches=False)
    return Check(matches=True, renewed_hash=await slot.renewed(password, known))


async def _begin_session(
    deps: AccountsDeps,
    tx: Transaction,
    received: InboundMessage[SignIn],
    *,
    locked: Locked,
    check: Check,
    reply_key: SealingKey,
) -> None:
    """The tokens leave sealed to the process that asked; what is kept cannot make them again.

    Session and first token are derived from the command and its seal: handled again on a restored
    database, it begins the session whose token its client still holds.
    """
    account, command = locked.account, received.envelope
    session_id = derived_uuid7(command.time, command.id, "session")
    secret = deps.seals.derive(received.data.sealed, binding(command.id, "first-token"))
    first_token = refresh_token(session_id, secret)
    if check.renewed_hash:
        await store.renew_password_hash(tx.conn, account.user_id, check.renewed_hash)
    is_new = await store.insert_session(
        tx.conn,
        session_id,
        user_id=account.user_id,
        token_hash=token_hash(first_token),
        client=received.client or Client(None, None),
    )
    event = UserSignedIn(user_id=account.user_id, session_id=str(session_id), new_client=is_new)
    tx.emit(event, about=account.user_id, caused_by=received, key=locked.key)
    outcome = sealed_tokens(
        deps.signer,
        account,
        session_id,
        first_token,
        now=deps.now(),
        reply_key=reply_key,
        bound_to=binding(received.envelope.id, "signin-outcome"),
    )
    tx.complete(received, outcome)


def _refuse(
    tx: Transaction,
    received: InboundMessage[SignIn],
    event: UserSigninFailed,
    *,
    about: UUID | str,
    key: PersonalKey,
) -> None:
    """The same outcome for an unknown address and for a wrong password."""
    tx.emit(event, about=about, caused_by=received, key=key)
    tx.complete(received, Rejected("invalid-credentials"))


HANDLES: Handlers[AccountsDeps] = {SignIn: sign_in}
