"""What a mail is, who takes it, and what can become of that. The ways out are beside it.

What the other side says may repeat the address: of its answers only codes leave these modules.
"""

from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from uuid import UUID

DELIVERY_SECONDS = 60.0
"""A mail takes no longer, whatever it waits for; each single wait is bounded by settings."""


class DeferredError(Exception):
    """Not taken now; it may be another time.

    `perhaps_taken`: nobody can tell whether it was. `wait_seconds`: how long the other side asks
    to be left alone. `ours`: it will not be taken before somebody mends our settings.
    """

    def __init__(
        self,
        reason: str,
        *,
        perhaps_taken: bool = False,
        wait_seconds: float | None = None,
        ours: bool = False,
    ) -> None:
        super().__init__(reason)
        self.perhaps_taken = perhaps_taken
        self.wait_seconds = wait_seconds
        self.ours = ours


class RefusedError(Exception):
    """This mail, or this recipient, is refused for good."""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail with its envelope; `id` and `kind` tell it from others without saying whose it is."""

    id: UUID
    kind: str
    sender: str
    recipient: str = field(repr=False)
    content: EmailMessage = field(repr=False)

    @property
    def needs_utf8(self) -> bool:
        """Whether an address goes beyond ASCII (SMTPUTF8, RFC 6531)."""
        return not (self.sender + self.recipient).isascii()


class DeliveryRecord(Protocol):
    """What is written down about a mail on its way."""

    async def sending(self) -> bool:
        """The other side would take it now: whether it may still go."""

    async def sent(self) -> None:
        """The other side has taken it."""


class Mailer(Protocol):
    """A way out for mails."""

    async def deliver(self, outgoing: OutgoingMail, record: DeliveryRecord) -> None:
        """Returns when the other side has it, or it may not go.

        Raises `DeferredError` and `RefusedError`, and what the journal raises.
        """
