"""Token pairs sealed to the process that asked, and how long they may be handed out."""

from datetime import UTC, datetime
from uuid import UUID

from contracts import base64url
from contracts.commands import RefreshToken, SignIn
from contracts.outcomes import SealedOutcome
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.messaging.transaction import Transactions
from infra.security.access_tokens import LIFETIME, TokenSigner
from infra.security.seals import SealingKey
from workers.accounts.rules import Account


def sealed_tokens(
    signer: TokenSigner,
    account: Account,
    session_id: UUID,
    refresh_token: str,
    *,
    now: datetime,
    reply_key: SealingKey,
    bound_to: bytes,
) -> SealedOutcome:
    """A pair of tokens, for the process that asked and for nobody else."""
    access_token = signer.sign(
        user_id=account.user_id,
        session_id=session_id,
        tier=account.tier,
        verified=account.verified,
        permissions=account.permissions,
        version=account.version,
        now=now,
    )
    tokens = {
        "access_token": access_token,
        "expires_in": int(LIFETIME.total_seconds()),
        "refresh_token": refresh_token,
    }
    return SealedOutcome(reply_key.seal(tokens, bound_to))


async def deadline_now(
    transactions: Transactions,
    received: InboundMessage[SignIn] | InboundMessage[RefreshToken],
    now: datetime,
) -> datetime:
    """Until when a command may hand out tokens. Raises `PoisonError` for one without a deadline.

    Handled again on a recovered database, what it did in time the first time has no deadline.
    """
    deadline = received.envelope.deadline
    if deadline is None:
        raise PoisonError("a command for tokens without a deadline")
    if now >= deadline and await transactions.happened(received):
        return datetime.max.replace(tzinfo=UTC)
    return deadline


def reply_key_of(command: SignIn | RefreshToken) -> SealingKey:
    """Raises `PoisonError` for what is no key, before any work is done for it."""
    try:
        key = SealingKey(base64url.decode(command.reply_key))
        key.seal(None, b"a point of low order takes no seal")
    except ValueError:
        raise PoisonError("the reply key is not valid") from None
    return key
