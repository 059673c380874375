"""Which events of a batch call for a mail: those that their slice wrote in the database. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID

import structlog

from contracts.message import Message
from infra.received import Received
from workers.verification.rules import CallsForMail

log = structlog.get_logger(__name__)


def requested(
    batch: Sequence[Received[Message]],
    requests: Mapping[tuple[UUID, str], str],
    *,
    since: datetime,
) -> tuple[list[Received[CallsForMail]], list[Received[Message]]]:
    """The events since then that call for a mail, each as its slice wrote it; and the unknown ones.

    `requests` are payloads by the id and type of their event. An unknown event is one that calls
    for a mail and was not written by its slice: somebody else published it, or the database was
    restored to a time before it and its cause is still to be handled again.
    """
    calls: list[Received[CallsForMail]] = []
    unknown: list[Received[Message]] = []
    for received in batch:
        event, claimed = received.envelope, received.data
        if not isinstance(claimed, CallsForMail) or event.time <= since:
            continue
        if payload := requests.get((event.id, event.type)):
            written = type(claimed).model_validate_json(payload)
            calls.append(replace(cast("Received[CallsForMail]", received), data=written))
        else:
            log.warning("mail_without_request", event_id=str(event.id), event_type=event.type)
            unknown.append(received)
    return calls, unknown
