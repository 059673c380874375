"""What operators did, on `ops.events`: published directly, acknowledged before it is said."""

import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.envelope import Envelope
from contracts.ids import uuid7
from contracts.operator_events import OpsEvent
from contracts.topics import OPS_EVENTS
from infra.runtime.clock import CLOCK
from operations.record_producer import Copy, Sender

SOURCE = "urn:qnt9:operator"
UNSAID = "not given"


@dataclass(frozen=True, slots=True)
class OperatorContext:
    """Who does something, and why."""

    operator: str
    reason: str


def this_operator(reason: str | None) -> OperatorContext:
    """The user of this machine who runs the command."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    before = os.environ.get("SUDO_USER")
    return OperatorContext(f"{name} (sudo: {before})" if before else name, reason or UNSAID)


async def record(
    sender: Sender,
    event: OpsEvent,
    *,
    about: str,
    id_: UUID | None = None,
    time: datetime | None = None,
) -> None:
    """Returns when the broker has it. The same id twice is one row of the audit log."""
    event_id = id_ or uuid7()
    envelope = Envelope(
        id=event_id,
        source=SOURCE,
        type=event.type,
        time=time or CLOCK.now(),
        subject=about,
        correlation_id=str(event_id),
    )
    value = event.model_dump_json().encode()
    await sender.send(OPS_EVENTS.name, [Copy(about.encode(), value, list(envelope.to_headers()))])
