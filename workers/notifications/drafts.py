"""The mails that an event calls for, to the person whom it is about."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events import (
    UserEmailChanged,
    UserEmailChangeRequested,
    UserErased,
    UserSignedIn,
    UserSignedUp,
    UserSignupRepeated,
    UserTokenReuseDetected,
)
from contracts.ids import derived_uuid7, time_of
from contracts.message import Message
from contracts.personal import ErasedError, Personal
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.observability.tracing import TRACING
from workers.notifications.mail_templates import Draft, Messages
from workers.notifications.rules import (
    EMAIL_CHANGE_ASKED,
    EMAIL_CHANGED,
    ERASED,
    PASSWORD_CHANGED,
    SIGNED_IN,
    SIGNUP_REPEATED,
    TOKEN_REUSED,
    VERIFY,
    CallsForMail,
    occasion,
)
from workers.notifications.store import Recipient


def drafts_of(
    messages: Messages, call: InboundMessage[CallsForMail], users: Mapping[UUID, Recipient]
) -> Iterator[Draft]:
    """The mails to the person whom an event is about, at the address that is theirs."""
    to: str | None
    person = users[call.data.user_id]
    match call.data:
        case UserSignedUp(email=email):
            to = clear(email, person) if person.needs_link else None
            template = VERIFY
        case UserSignupRepeated(email=email):
            # What was typed may be another spelling of the owner's address, and another mailbox.
            given = clear(email, person)
            to, template = person.email or given, SIGNUP_REPEATED
        case UserEmailChanged(former_email=email):
            to, template = clear(email, person) if email else None, EMAIL_CHANGED
        case UserEmailChangeRequested():
            to, template = person.email, EMAIL_CHANGE_ASKED
        case UserSignedIn():
            to, template = person.email, SIGNED_IN
        case UserTokenReuseDetected():
            to, template = person.email, TOKEN_REUSED
        case UserErased():
            to, template = person.email, ERASED
        case _:
            to, template = person.email, PASSWORD_CHANGED
    at = time_of(person.user_id) if template == VERIFY else call.envelope.time
    about = occasion(at, _client(call.data, person))
    if to:
        yield draft(messages, call, template, person, to=to, about=about)


def draft(
    messages: Messages,
    call: InboundMessage[Message],
    template: str,
    person: Recipient,
    *,
    to: str,
    about: Mapping[str, str | None] | None = None,
    session_id: UUID | None = None,
) -> Draft:
    """A mail that a message calls for, to a person at an address."""
    made = messages.draft(
        template,
        mail_id(call.envelope, template, person.user_id),
        person.user_id,
        person.key,
        to=to,
        name=person.display_name,
        about=about,
    )
    cause = call.envelope
    traceparent = TRACING.created(
        f"mail {template}", str(made.id), cause.traceparent, cause_id=str(cause.id)
    )
    return replace(made, session_id=session_id, cause_id=cause.id, traceparent=traceparent)


def mail_id(cause: Envelope, template: str, to: UUID) -> UUID:
    """The same for the same cause, so that a mail made again has the same Message-ID and link."""
    return derived_uuid7(cause.time, cause.id, "mail", template, to)


def clear(email: Personal, person: Recipient) -> str:
    """The address. Raises `PoisonError` for one that its person's key does not open."""
    try:
        return str(email.reveal(person.key))
    except ErasedError:
        raise PoisonError("the address is not encrypted under its person's key") from None


def _client(event: CallsForMail, person: Recipient) -> dict[str, Any] | None:
    """The `{ip, agent}` of the request that an event comes from, where that is known."""
    if event.client is None:
        return None
    client: dict[str, Any] = event.client.reveal(person.key)
    return client
