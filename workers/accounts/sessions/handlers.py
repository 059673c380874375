"""Commands about sessions that have begun: refreshed, ended from within, ended from another."""

from uuid import UUID

from contracts.commands import RefreshToken, RevokeSession, SignOut
from contracts.events import (
    UserSessionRevoked,
    UserSignedOut,
    UserTokenRefreshed,
    UserTokenReuseDetected,
)
from contracts.message import Command
from contracts.outcomes import Rejected, Succeeded
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction
from infra.security.client_cipher import Client
from infra.security.mailed_tokens import token_hash
from infra.security.seals import binding
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.sessions import store
from workers.accounts.sessions.rules import Refresh, RefreshDecision, classify_refresh
from workers.accounts.store import Locked
from workers.accounts.tokens import deadline_now, reply_key_of, sealed_tokens

SessionEvent = UserTokenRefreshed | UserTokenReuseDetected | UserSignedOut | UserSessionRevoked


async def refresh_token(deps: AccountsDeps, received: InboundMessage[RefreshToken]) -> None:
    """A new pair before the deadline, or nothing is spent: nobody is left to take it."""
    deadline = await deadline_now(deps.transactions, received, deps.now())
    reply_key = reply_key_of(received.data)
    refresh = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="refresh",
        holds=Refresh,
    )
    successor = refresh.successor(deps.refresh_key)
    spent, follows = token_hash(refresh.refresh_token), token_hash(successor)
    async with deps.transactions.begin() as tx:
        holder = await store.lock_holder(tx.conn, refresh.session_id, spent)
        if deps.now() >= deadline:
            tx.complete(received, Rejected("try-again"))
            return
        token = await store.find_token(tx.conn, spent, follows) if holder else None
        judgement = classify_refresh(token, several_tabs=refresh.several_tabs)
        if holder is None or judgement is RefreshDecision.INVALID:
            tx.complete(received, Rejected("invalid-refresh-token"))
            return
        if judgement is RefreshDecision.REUSED:
            await _end_stolen(tx, received, holder, refresh.session_id)
            return
        if judgement is RefreshDecision.FRESH:
            client = received.client or Client(None, None)
            await store.rotate(
                tx.conn, refresh.session_id, spent=spent, successor=follows, client=client
            )
            _report(tx, received, UserTokenRefreshed, holder, refresh.session_id)
        elif token and token.is_late:
            await store.set_late_run(tx.conn, follows, token.late_run + 1)
        outcome = sealed_tokens(
            deps.signer,
            holder.account,
            refresh.session_id,
            refresh.refresh_token if judgement is RefreshDecision.SHARED else successor,
            now=deps.now(),
            reply_key=reply_key,
            bound_to=binding(received.envelope.id, "refresh-outcome"),
        )
        tx.complete(received, outcome)


async def sign_out(deps: AccountsDeps, received: InboundMessage[SignOut]) -> None:
    """The session is over, whether or not this ended it."""
    session_id, user_id = received.data.session_id, _actor(received)
    async with deps.transactions.begin() as tx:
        owner = await store.lock_owner(tx.conn, session_id, user_id)
        if owner and await store.end_session(tx.conn, session_id):
            tx.session_ended(session_id)
            _report(tx, received, UserSignedOut, owner, session_id)
        tx.complete(received, Succeeded())


async def revoke_session(deps: AccountsDeps, received: InboundMessage[RevokeSession]) -> None:
    """Somebody else's session is as unknown as one that never was."""
    session_id, user_id = received.data.session_id, _actor(received)
    async with deps.transactions.begin() as tx:
        owner = await store.lock_owner(tx.conn, session_id, user_id)
        if owner and await store.end_session(tx.conn, session_id):
            tx.session_ended(session_id)
            _report(tx, received, UserSessionRevoked, owner, session_id)
        tx.complete(received, Succeeded() if owner else Rejected("unknown-session"))


async def _end_stolen(
    tx: Transaction, received: InboundMessage[RefreshToken], holder: Locked, session_id: UUID
) -> None:
    """Which of the two is the thief is unknown: both sessions end."""
    await store.end_session(tx.conn, session_id)
    tx.session_ended(session_id)
    _report(tx, received, UserTokenReuseDetected, holder, session_id)
    tx.complete(received, Rejected("token-reused"))


def _report(
    tx: Transaction,
    received: InboundMessage[Command],
    kind: type[SessionEvent],
    about: Locked,
    session_id: UUID,
) -> None:
    user_id = about.account.user_id
    event = kind(user_id=user_id, session_id=str(session_id))
    tx.emit(event, about=user_id, caused_by=received, key=about.key)


def _actor(received: InboundMessage[SignOut] | InboundMessage[RevokeSession]) -> UUID:
    if received.envelope.actor_id is None:
        raise PoisonError("a command about a session without an actor")
    return received.envelope.actor_id


HANDLES: Handlers[AccountsDeps] = {
    RefreshToken: refresh_token,
    SignOut: sign_out,
    RevokeSession: revoke_session,
}
