"""Commands about verification, and the mails that events call for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.commands import ResendVerification, VerifyEmail
from contracts.events import (
    UserEmailVerified,
    UserVerificationRequested,
)
from contracts.message import Message
from contracts.outcomes import Succeeded
from contracts.personal import ErasedError, Personal
from contracts.topics import USERS_EVENTS
from infra.addresses import address_hash
from infra.postgres.transaction import Transactions
from infra.received import PoisonError, Received
from infra.sealed import open_seal
from infra.seals import OpeningKeys
from workers.verification import mails, store
from workers.verification.messages import Draft, Messages
from workers.verification.rules import (
    VERIFY,
    Address,
    CallsForMail,
    Redemption,
    Verify,
    confirmed,
    redeem,
    template_for,
    token_hash,
    who_waits,
)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the slice works with."""

    transactions: Transactions
    mail_transactions: Transactions
    seals: OpeningKeys
    address_key: bytes
    messages: Messages
    wake_sender: Callable[[], None]


async def verify_email(slice_: Verification, received: Received[VerifyEmail]) -> None:
    """Single use. Whoever comes second finds it done, or the address somebody else's."""
    redemption = open_seal(
        slice_.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="verify",
        holds=Redemption,
    )
    hashed = token_hash(redemption.token)
    async with slice_.transactions.begin() as tx:
        people = await store.lock_people_of_token(tx.conn, hashed)
        decision = redeem(await store.find_token(tx.conn, hashed), people)
        if isinstance(decision, Verify):
            person = decision.person
            at = await store.confirm(tx.conn, person.user_id)
            await store.use_token(tx.conn, hashed)
            await store.supersede(tx.conn, decision.superseded)
            for user_id in (person.user_id, *decision.superseded):
                tx.user_changed(user_id)
            await store.void_links(tx.conn, [p.user_id for p in people])
            event = UserEmailVerified(user_id=person.user_id, email=Personal(person.email))
            tx.emit(event, about=person.user_id, caused_by=received, key=person.key)
            decision = confirmed(at)
        tx.settle(received, decision, fingerprint=redemption.fingerprint)


async def resend_verification(slice_: Verification, received: Received[ResendVerification]) -> None:
    """The outcome is the same whether or not anybody waits at the address."""
    wanted = open_seal(
        slice_.seals,
        received.data.sealed,
        of=received.envelope,
        purpose="resend",
        holds=Address,
    )
    address = address_hash(slice_.address_key, wanted.email)
    async with slice_.transactions.begin() as tx:
        person = who_waits(await store.lock_people(tx.conn, address))
        mailed = person is not None and not await store.asked_lately(tx.conn, address)
        if mailed and person and person.key:
            await store.void_links(tx.conn, [person.user_id])
            draft = slice_.messages.draft(
                VERIFY,
                person.user_id,
                person.key,
                to=wanted.email,
                name=person.display_name,
                on_request=True,
            )
            await mails.insert_mails(tx.conn, [draft])
            event = UserVerificationRequested(user_id=person.user_id)
            tx.emit(event, about=person.user_id, caused_by=received, key=person.key)
        tx.settle(received, Succeeded(), fingerprint=wanted.fingerprint)
    if mailed:
        slice_.wake_sender()


async def queue_mails(slice_: Verification, batch: Sequence[Received[Message]]) -> None:
    """The whole batch in one transaction; most events call for no mail and are only settled."""
    events = [r.data for r in batch if isinstance(r.data, CallsForMail)]
    async with slice_.mail_transactions.begin() as tx:
        recipients = await store.recipients(tx.conn, [event.user_id for event in events])
        drafts = [
            _draft(slice_, event, recipient)
            for event in events
            if (recipient := recipients.get(event.user_id))
            and (recipient.needs_link or template_for(event) != VERIFY)
        ]
        await mails.insert_mails(tx.conn, drafts)
        for received in batch:
            tx.settle(received)
    if drafts:
        slice_.wake_sender()


def _draft(slice_: Verification, event: CallsForMail, recipient: store.Recipient) -> Draft:
    try:
        address = event.email.reveal(recipient.key)
    except ErasedError:
        raise PoisonError("the address is not encrypted under its person's key") from None
    return slice_.messages.draft(
        template_for(event), event.user_id, recipient.key, to=address, name=recipient.display_name
    )


COMMANDS: dict[type[Message], Callable[[Verification, Received[Any]], Any]] = {
    VerifyEmail: verify_email,
    ResendVerification: resend_verification,
}
HANDLES: dict[type[Message], Callable[..., Any]] = {
    **COMMANDS,
    **dict.fromkeys(USERS_EVENTS.carries, queue_mails),
}
