"""Commands about verification, and the mails that events call for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.commands import ForgotPassword, ResendVerification, VerifyEmail
from contracts.events import (
    UserEmailChanged,
    UserEvent,
    UserPasswordResetRequested,
    UserVerificationRequested,
)
from contracts.ids import time_of
from contracts.message import Message
from contracts.outcomes import Succeeded
from contracts.personal import Personal
from contracts.sealed_contents import Address, Redemption
from contracts.topics import USERS_EVENTS
from infra.messaging.inbound import InboundMessage
from infra.messaging.restored_database import AwaitedError
from infra.messaging.transaction import Transaction, Transactions
from infra.runtime.clock import CLOCK
from infra.security.address_hmac import address_hash
from infra.security.sealed_data import open_seal
from infra.security.seals import OpeningKeys
from workers.verification import mails, store
from workers.verification.allowances import admitted
from workers.verification.drafts import clear, draft, drafts_of, mail_id
from workers.verification.messages import Draft, Messages
from workers.verification.requests import (
    erased_users,
    from_new_clients,
    is_worth_telling,
    requested,
)
from workers.verification.rules import (
    ADDRESS_WANTED,
    EMAIL_CHANGE,
    ENDED_BY_MOVE,
    MAILS_WANTED,
    RESET,
    SIGNED_IN,
    VERIFY,
    CallsForMail,
    Person,
    Verify,
    changes_of_address,
    confirmed,
    occasion,
    owner_of,
    ready_events,
    redeem,
    token_hash,
    who_waits,
)
from workers.verification.store import Link, Recipient


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the slice works with."""

    transactions: Transactions
    mail_transactions: Transactions
    seals: OpeningKeys
    address_key: bytes
    messages: Messages
    wake_sender: Callable[[], None]


async def verify_email(deps: Verification, received: InboundMessage[VerifyEmail]) -> None:
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
        people = await _lock(deps, tx, link) if link else []
        token = await store.find_token(tx.conn, hashed) if link else None
        decision = redeem(token, people, link.email if link else "")
        if not isinstance(decision, Verify):
            tx.complete(received, decision, fingerprint=redemption.fingerprint)
            return
        assert link
        await store.use_token(tx.conn, hashed)
        await store.supersede(tx.conn, decision.superseded)
        event, outcome = await _move(deps, tx, link, decision.person)
        await store.void_links(tx.conn, [p.user_id for p in people], [VERIFY])
        for user_id in (link.user_id, *decision.superseded):
            tx.user_changed(user_id)
        tx.emit(event, about=link.user_id, caused_by=received, key=decision.person.key)
        tx.complete(received, outcome, fingerprint=redemption.fingerprint)


async def _lock(deps: Verification, tx: Transaction, link: Link) -> list[Person]:
    """Who the link is for, and everybody at the address that it was mailed to."""
    address = address_hash(deps.address_key, link.email)
    if link.purpose == EMAIL_CHANGE:
        await store.hold_address(tx.conn, address)
    return await store.lock_people(tx.conn, address, also=link.user_id)


async def _move(
    deps: Verification, tx: Transaction, link: Link, person: Person
) -> tuple[UserEvent, Succeeded]:
    """To another address; then no link to the one before works, and only who asked stays in."""
    address = address_hash(deps.address_key, link.email)
    at = await store.move(tx.conn, link.user_id, email=link.email, address_hash=address)
    await store.void_links(tx.conn, [link.user_id], ENDED_BY_MOVE)
    for session_id in await store.end_sessions(tx.conn, link.user_id, link.session_id):
        tx.session_ended(session_id)
    changed = UserEmailChanged(
        user_id=link.user_id,
        email=Personal(link.email),
        former_email=Personal(person.email) if person.confirmed_at else None,
    )
    return changed, confirmed(at)


async def resend_verification(
    deps: Verification, received: InboundMessage[ResendVerification]
) -> None:
    await _mail_link(
        deps,
        received,
        purpose="resend",
        template=VERIFY,
        whom=who_waits,
        event=UserVerificationRequested,
    )


async def forgot_password(deps: Verification, received: InboundMessage[ForgotPassword]) -> None:
    await _mail_link(
        deps,
        received,
        purpose="forgot",
        template=RESET,
        whom=owner_of,
        event=UserPasswordResetRequested,
    )


async def _mail_link(
    deps: Verification,
    received: InboundMessage[ResendVerification] | InboundMessage[ForgotPassword],
    *,
    purpose: str,
    template: str,
    whom: Callable[[Sequence[Person]], Person | None],
    event: type[UserEvent],
) -> None:
    """The outcome is the same whether or not there is anybody at the address, and a mail to it.

    Beyond what the address may be sent nothing happens: the link that was mailed last still works.
    """
    wanted = open_seal(
        deps.seals,
        received.data.sealed,
        of=received.envelope,
        purpose=purpose,
        holds=Address,
    )
    address = address_hash(deps.address_key, wanted.email)
    async with deps.transactions.begin() as tx:
        person = whom(await store.lock_people(tx.conn, address))
        drafts: list[Draft] = []
        if person and person.key and person.email:
            about = None
            if template == VERIFY:
                client = await store.sign_up_client(tx.conn, person.user_id, person.key)
                about = occasion(time_of(person.user_id)) | {"client": client}
            mail = deps.messages.draft(
                template,
                mail_id(received.envelope, template, person.user_id),
                person.user_id,
                person.key,
                to=person.email,
                name=person.display_name,
                on_request=True,
                about=about,
            )
            if await tx.happened(received):
                drafts = [mail]  # it was sent, and counted, before the database was restored
            else:
                drafts = await admitted(tx.conn, deps.address_key, [mail])
        if drafts and person:
            await store.void_links(tx.conn, [person.user_id], [template])
            await mails.insert_mails(tx.conn, drafts)
            tx.emit(
                event(user_id=person.user_id),
                about=person.user_id,
                caused_by=received,
                key=person.key,
            )
        tx.complete(received, Succeeded(), fingerprint=wanted.fingerprint)
    if drafts:
        deps.wake_sender()


async def queue_mails(deps: Verification, batch: Sequence[InboundMessage[Message]]) -> None:
    """The whole batch in one transaction; most events call for no mail and are only settled.

    What is mailed is what the slice that emitted an event wrote in the database (`requests.py`).
    An event that it knows nothing of leaves no trace, so that it can still come true.
    Raises `AwaitedError` afterwards when some of it has to wait (see `ready_events`).
    """
    ready, waiting = ready_events(batch, deps.mail_transactions.awaited)
    async with deps.mail_transactions.begin() as tx:
        requests = await store.take_mail_requests(tx.conn, [r.envelope.id for r in ready])
        calls, unknown = requested(ready, requests, since=CLOCK.now() - MAILS_WANTED)
        calls = await _worth_telling(tx, calls)
        people = await store.recipients(tx.conn, {call.data.user_id for call in calls})
        if erased := erased_users([call.data for call in calls]):
            people |= await store.farewells(tx.conn, erased)
        heard = [call for call in calls if call.data.user_id in people]
        drafts = [
            *(d for call in heard for d in drafts_of(deps.messages, call, people)),
            *await _address_drafts(deps, tx, heard, people),
        ]
        recovered = await store.recovered(tx.conn, {call.envelope.id for call in heard})
        drafts = await admitted(tx.conn, deps.address_key, drafts, recovered)
        await mails.insert_mails(tx.conn, drafts)
        for received in ready:
            if received not in unknown:
                tx.complete(received)
    if drafts:
        deps.wake_sender()
    if waiting:
        raise AwaitedError("the cause of an event has to be handled again before it")


async def _worth_telling(
    tx: Transaction, calls: Sequence[InboundMessage[CallsForMail]]
) -> list[InboundMessage[CallsForMail]]:
    """All but sign-ins from clients that are known, and one sign-in too many within an hour."""
    new = from_new_clients([call.data for call in calls])
    told = await store.told_lately(tx.conn, new, SIGNED_IN) if new else set()
    return [call for call in calls if is_worth_telling(call.data, told)]


async def _address_drafts(
    deps: Verification,
    tx: Transaction,
    calls: Sequence[InboundMessage[CallsForMail]],
    people: dict[UUID, Recipient],
) -> list[Draft]:
    """The links to new addresses; for one that is somebody's, that person is told instead."""
    ended, wanted = changes_of_address([call.data for call in calls])
    causes = {id(call.data): call for call in calls}
    if ended:
        await store.void_links(tx.conn, ended, [EMAIL_CHANGE])
    to = {user_id: clear(event.new_email, people[user_id]) for user_id, event in wanted.items()}
    hashes = {user_id: address_hash(deps.address_key, email) for user_id, email in to.items()}
    taken = await store.owners(tx.conn, hashes.values()) if hashes else {}
    owners = await store.recipients(tx.conn, taken.values()) if taken else {}
    drafts = []
    for user_id, email in to.items():
        call = causes[id(wanted[user_id])]
        owner_id = taken.get(hashes[user_id])
        if owner_id is None:
            asked_by = wanted[user_id].session_id
            drafts.append(
                draft(
                    deps.messages,
                    call,
                    EMAIL_CHANGE,
                    people[user_id],
                    to=email,
                    session_id=UUID(asked_by) if asked_by else None,
                )
            )
        elif owner_id != user_id and owner_id in owners:
            owner = owners[owner_id]
            at = owner.email or email
            drafts.append(draft(deps.messages, call, ADDRESS_WANTED, owner, to=at))
    return drafts


COMMANDS: dict[type[Message], Callable[[Verification, InboundMessage[Any]], Any]] = {
    VerifyEmail: verify_email,
    ResendVerification: resend_verification,
    ForgotPassword: forgot_password,
}
HANDLES: dict[type[Message], Callable[..., Any]] = {
    **COMMANDS,
    **dict.fromkeys(USERS_EVENTS.carries, queue_mails),
}
