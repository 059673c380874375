"""The mails that events call for, queued in bulk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.events import UserEmailChangeRequested
from contracts.message import Message
from contracts.topics import USERS_EVENTS
from infra.messaging.dispatch import BulkHandlers
from infra.messaging.inbound import InboundMessage
from infra.messaging.restored_database import AwaitedError
from infra.messaging.transaction import Transaction, Transactions
from infra.runtime.clock import CLOCK
from infra.security.address_hmac import address_hash
from workers.notifications import mail_queue, store
from workers.notifications.allowances import admitted
from workers.notifications.drafts import clear, draft, drafts_of
from workers.notifications.mail_requests import (
    erased_users,
    from_new_clients,
    is_worth_reporting,
    requested,
)
from workers.notifications.mail_templates import Draft, Messages
from workers.notifications.rules import (
    ADDRESS_WANTED,
    EMAIL_CHANGE,
    MAILS_WANTED,
    SIGNED_IN,
    CallsForMail,
    changes_of_address,
    ready_events,
)
from workers.notifications.store import Recipient


@dataclass(frozen=True, kw_only=True)
class NotificationsDeps:
    """What queueing mails works with."""

    mail_transactions: Transactions
    address_key: bytes
    messages: Messages
    wake_sender: Callable[[], None]


async def queue_mails(deps: NotificationsDeps, batch: Sequence[InboundMessage[Message]]) -> None:
    """The whole batch in one transaction; most events call for no mail and are only settled.

    What is mailed is what the slice that emitted an event wrote in the database, see
    `mail_requests.py`.
    An event that it knows nothing of leaves no trace, so that it can still come true.
    Raises `AwaitedError` afterwards when some of it has to wait (see `ready_events`).
    """
    ready, waiting = ready_events(batch, deps.mail_transactions.awaited)
    async with deps.mail_transactions.begin() as tx:
        requests = await store.take_mail_requests(tx.conn, [r.envelope.id for r in ready])
        calls, unknown = requested(ready, requests, since=CLOCK.now() - MAILS_WANTED)
        calls = await _worth_telling(tx, calls)
        users = await store.recipients(tx.conn, {call.data.user_id for call in calls})
        if erased := erased_users([call.data for call in calls]):
            users |= await store.farewells(tx.conn, erased)
        heard = [call for call in calls if call.data.user_id in users]
        drafts = [
            *(d for call in heard for d in drafts_of(deps.messages, call, users)),
            *await _address_drafts(deps, tx, heard, users),
        ]
        recovered = await store.recovered(tx.conn, {call.envelope.id for call in heard})
        drafts = await admitted(tx.conn, deps.address_key, drafts, recovered)
        await mail_queue.insert_mails(tx.conn, drafts)
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
    reported = await store.notified_lately(tx.conn, new, SIGNED_IN) if new else set()
    return [call for call in calls if is_worth_reporting(call.data, reported)]


async def _address_drafts(
    deps: NotificationsDeps,
    tx: Transaction,
    calls: Sequence[InboundMessage[CallsForMail]],
    users: dict[UUID, Recipient],
) -> list[Draft]:
    """The links to new addresses; the owner of an address that is taken gets a notice instead.

    A request that a later one in the batch replaces gets no link, but that owner gets a notice.
    """
    ended, wanted = changes_of_address([call.data for call in calls])
    if ended:
        await store.void_links(tx.conn, ended, [EMAIL_CHANGE])
    asked = []
    for call in calls:
        match call.data:
            case UserEmailChangeRequested(user_id=user_id, new_email=new_email) as event:
                asked.append((call, event, clear(new_email, users[user_id])))
    hashes = {email: address_hash(deps.address_key, email) for _, _, email in asked}
    taken = await store.owners(tx.conn, hashes.values()) if hashes else {}
    owners = await store.recipients(tx.conn, taken.values()) if taken else {}
    drafts = []
    for call, event, email in asked:
        user_id, owner_id = event.user_id, taken.get(hashes[email])
        if owner_id is None and wanted.get(user_id) is event:
            asked_by = event.session_id
            drafts.append(
                draft(
                    deps.messages,
                    call,
                    EMAIL_CHANGE,
                    users[user_id],
                    to=email,
                    session_id=UUID(asked_by) if asked_by else None,
                )
            )
        elif owner_id is not None and owner_id != user_id and owner_id in owners:
            owner = owners[owner_id]
            at = owner.email or email
            drafts.append(draft(deps.messages, call, ADDRESS_WANTED, owner, to=at))
    return drafts


HANDLES: BulkHandlers[NotificationsDeps] = dict.fromkeys(USERS_EVENTS.carries, queue_mails)
