"""Requests for mailed links, and the mails that carry them."""

from collections import Counter
from typing import Any
from uuid import UUID

from contracts.commands import ForgotPassword
from contracts.events import (
    UserEmailChangeRequested,
)
from infra.messaging.inbound import InboundMessage
from infra.security.seals import binding
from tests.support.message_builders import an_envelope, received
from tests.support.users import ADA, a_user
from tests.support.workers.verification_slice import MAIL_KEY, VerificationSlice
from workers.notifications.rules import mailed_token
from workers.verification.handlers import forgot_password

NEW = "countess@example.com"


async def forget(deps: VerificationSlice, email: str = ADA) -> dict[str, Any]:
    """The outcome of asking for a new password."""
    envelope = an_envelope(ForgotPassword)
    bound_to = binding(envelope.id, "forgot", envelope.time.isoformat())
    sealed = deps.sealing.seal({"email": email, "fingerprint": None}, bound_to)
    command = received(ForgotPassword(sealed=sealed), envelope=envelope, key=email)
    await forgot_password(deps.parts, command)
    return await deps.outcome(command)


async def asks(
    deps: VerificationSlice, user_id: UUID, email: str = NEW
) -> InboundMessage[UserEmailChangeRequested]:
    event = UserEmailChangeRequested(user_id=user_id, new_email=await deps.sealed(user_id, email))
    return received(event, client=None, key=str(user_id))


async def mailed(deps: VerificationSlice, user_id: UUID) -> Counter[str]:
    return Counter(mail["template"] for mail in await deps.mails(user_id))


async def link_to(deps: VerificationSlice, user_id: UUID, template: str) -> str:
    """The token of the newest such mail."""
    mails = [m for m in await deps.mails(user_id) if m["template"] == template]
    return mailed_token(MAIL_KEY, mails[0]["id"])


async def asked(deps: VerificationSlice, *, email: str = NEW) -> tuple[UUID, str]:
    """Somebody confirmed who asked for another address, and the token mailed there."""
    await deps.hours_pass()
    user_id = await a_user(deps.database, verified=True)
    await deps.hear(await asks(deps, user_id, email))
    return user_id, await link_to(deps, user_id, "email_change")
