"""Commands about verification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.commands import ForgotPassword, ResendVerification, VerifyEmail
from contracts.events import (
    UserEmailChanged,
    UserEvent,
    UserPasswordResetRequested,
    UserVerificationRequested,
)
from contracts.ids import time_of
from contracts.outcomes import Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import Address, Redemption
from infra.messaging.dispatch import Handlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.sealed_data import open_seal
from infra.messaging.transaction import Transaction, Transactions
from infra.security.address_hmac import address_hash
from infra.security.mailed_tokens import token_hash
from infra.security.seals import OpeningKeys
from workers.notifications import mail_queue
from workers.notifications.allowances import admitted
from workers.notifications.drafts import mail_id
from workers.notifications.handlers import NotificationsDeps
from workers.notifications.mail_templates import Draft
from workers.notifications.rules import EMAIL_CHANGE, RESET, VERIFY, occasion
from workers.notifications.store import void_links
from workers.verification import store
from workers.verification.rules import (
    ENDED_BY_MOVE,
    Person,
    Verify,
    confirmed,
    owner_of,
    redeem,
    who_waits,
)
from workers.verification.store import Link


@dataclass(frozen=True, kw_only=True)
class VerificationDeps(NotificationsDeps):
    """What the slice works with."""

    transactions: Transactions
    seals: OpeningKeys


async def verify_email(deps: VerificationDeps, received: InboundMessage[VerifyEmail]) -> None:
    """Single use. Whoever comes second finds it done, or the address somebody else's."""
    redemption = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="verify",
        holds=Redemption,
    )
    hashed = token_hash(redemption.token)
    async with deps.transactions.begin() as tx:
        link = await store.find_link(tx.conn, hashed)
        users = await _lock(deps, tx, link) if link else []
        token = await store.find_token(tx.conn, hashed) if link else None
        decision = redeem(token, users, link.email if link else "")
        if not isinstance(decision, Verify):
            tx.complete(received, decision, fingerprint=redemption.fingerprint)
            return
        assert link
        await store.use_token(tx.conn, hashed)
        await store.supersede(tx.conn, decision.superseded)
        event, outcome = await _move(deps, tx, link, decision.person)
        await void_links(tx.conn, [p.user_id for p in users], [VERIFY])
        for user_id in (link.user_id, *decision.superseded):
            tx.user_changed(user_id)
        tx.emit(event, about=link.user_id, caused_by=received, key=decision.person.key)
        tx.complete(received, outcome, fingerprint=redemption.fingerprint)


async def _lock(deps: VerificationDeps, tx: Transaction, link: Link) -> list[Person]:
    """Who the link is for, and everybody at the address that it was mailed to."""
    address = address_hash(deps.address_key, link.email)
    if link.purpose == EMAIL_CHANGE:
        await store.hold_address(tx.conn, address)
    return await store.lock_users(tx.conn, address, also=link.user_id)


async def _move(
    deps: VerificationDeps, tx: Transaction, link: Link, person: Person
) -> tuple[UserEvent, Succeeded]:
    """To another address; then no link to the one before works, and only who asked stays in."""
    address = address_hash(deps.address_key, link.email)
    at = await store.move(tx.conn, link.user_id, email=link.email, address_hash=address)
    await void_links(tx.conn, [link.user_id], ENDED_BY_MOVE)
    for session_id in await store.end_sessions(tx.conn, link.user_id, link.session_id):
        tx.session_ended(session_id)
    changed = UserEmailChanged(
        user_id=link.user_id,
        email=Personal(link.email),
        former_email=Personal(person.email) if person.confirmed_at else None,
    )
    return changed, confirmed(at)


@dataclass(frozen=True, kw_only=True)
class _LinkRequest:
    """What one kind of command asks to be mailed."""

    purpose: str
    """Of the seal."""
    template: str
    recipient: Callable[[Sequence[Person]], Person | None]
    event: type[UserEvent]


_RESEND = _LinkRequest(
    purpose="resend", template=VERIFY, recipient=who_waits, event=UserVerificationRequested
)
_FORGOT = _LinkRequest(
    purpose="forgot", template=RESET, recipient=owner_of, event=UserPasswordResetRequested
)


async def resend_verification(
    deps: VerificationDeps, received: InboundMessage[ResendVerification]
) -> None:
    """Mail the link of the newest sign-up of an address again, if nobody has verified it."""
    await _mail_link(deps, received, _RESEND)


async def forgot_password(deps: VerificationDeps, received: InboundMessage[ForgotPassword]) -> None:
    """Mail a link for a new password to the user who has verified the address."""
    await _mail_link(deps, received, _FORGOT)


async def _mail_link(
    deps: VerificationDeps,
    received: InboundMessage[ResendVerification] | InboundMessage[ForgotPassword],
    request: _LinkRequest,
) -> None:
    """The outcome is the same whether or not there is anybody at the address, and a mail to it.

    Beyond what the address may be sent nothing happens: the link that was mailed last still works.
    """
    wanted = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose=request.purpose,
        holds=Address,
    )
    address = address_hash(deps.address_key, wanted.email)
    async with deps.transactions.begin() as tx:
        person = request.recipient(await store.lock_users(tx.conn, address))
        drafts: list[Draft] = []
        if person and person.key and person.email:
            mail = await _draft(deps, tx, received, request.template, person)
            if await tx.happened(received):
                drafts = [mail]  # it was sent, and counted, before the database was restored
            else:
                drafts = await admitted(tx.conn, deps.address_key, [mail])
        if drafts and person:
            await void_links(tx.conn, [person.user_id], [request.template])
            await mail_queue.insert_mails(tx.conn, drafts)
            event = request.event(user_id=person.user_id)
            tx.emit(event, about=person.user_id, caused_by=received, key=person.key)
        tx.complete(received, Succeeded(), fingerprint=wanted.fingerprint)
    if drafts:
        deps.wake_sender()


async def _draft(
    deps: VerificationDeps,
    tx: Transaction,
    received: InboundMessage[ResendVerification] | InboundMessage[ForgotPassword],
    template: str,
    person: Person,
) -> Draft:
    """The mail to somebody who is still there; one of a sign-up says when and where that was."""
    assert person.key
    assert person.email
    about = None
    if template == VERIFY:
        client = await store.sign_up_client(tx.conn, person.user_id, person.key)
        about = occasion(time_of(person.user_id)) | {"client": client}
    return deps.messages.draft(
        template,
        mail_id(received.envelope, template, person.user_id),
        person.user_id,
        person.key,
        to=person.email,
        name=person.display_name,
        on_request=True,
        about=about,
    )


HANDLES: Handlers[VerificationDeps] = {
    VerifyEmail: verify_email,
    ResendVerification: resend_verification,
    ForgotPassword: forgot_password,
}
