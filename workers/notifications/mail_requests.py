"""Which events of a batch call for a mail: those that their slice wrote in the database. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID

import structlog

from contracts.events import UserErased, UserSignedIn
from contracts.message import Message
from infra.messaging.inbound import InboundMessage
from workers.notifications.rules import CallsForMail

log = structlog.get_logger(__name__)


def requested(
    batch: Sequence[InboundMessage[Message]],
    requests: Mapping[tuple[UUID, str], str],
    *,
    since: datetime,
) -> tuple[list[InboundMessage[CallsForMail]], list[InboundMessage[Message]]]:
    """The events since then that call for a mail, each as its slice wrote it; and the unknown ones.

    `requests` are payloads by the id and type of their event. An unknown event is one that calls
    for a mail and was not written by its slice: somebody else published it, or the database was
    restored to a time before it and its cause is still to be handled again.
    """
    calls: list[InboundMessage[CallsForMail]] = []
    unknown: list[InboundMessage[Message]] = []
    for received in batch:
        event, claimed = received.envelope, received.data
        if not isinstance(claimed, CallsForMail) or event.time <= since:
            continue
        if payload := requests.get((event.id, event.type)):
            written = type(claimed).model_validate_json(payload)
            calls.append(replace(cast("InboundMessage[CallsForMail]", received), data=written))
        else:
            log.warning("mail_without_request", event_id=str(event.id), event_type=event.type)
            unknown.append(received)
    return calls, unknown


def from_new_clients(events: Sequence[CallsForMail]) -> set[UUID]:
    """Who has signed in from a client that was not known."""
    found = set()
    for event in events:
        match event:
            case UserSignedIn(user_id=user_id, new_client=True):
                found.add(user_id)
    return found


def erased_users(events: Sequence[CallsForMail]) -> set[UUID]:
    """Who is gone: to be mailed once more, where the erasing slice has kept the address."""
    found = set()
    for event in events:
        match event:
            case UserErased(user_id=user_id):
                found.add(user_id)
    return found


def is_worth_reporting(event: CallsForMail, reported: Collection[UUID]) -> bool:
    """Whether an event calls for a mail. `reported`: who had enough mails about sign-ins lately."""
    match event:
        case UserSignedIn(user_id=user_id, new_client=new_client):
            return new_client and user_id not in reported
        case _:
            return True
