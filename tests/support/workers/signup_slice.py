"""The slice on a real database: sealed commands in, rows and events out."""

from dataclasses import dataclass
from typing import Any

from contracts.commands import SignUp
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.inbound import InboundMessage
from infra.security.seals import SealingKey, binding
from tests.support.message_builders import (
    ARecord,
    MemoryDeadLetters,
    a_record,
    an_envelope,
    received,
)
from tests.support.postgres import Database
from tests.support.users import ADA, PASSWORD
from workers.signup.handlers import SignupDeps, sign_up


@dataclass
class SignupSlice:
    """The slice, and the gateway's key to it."""

    parts: SignupDeps
    sealing: SealingKey
    work: BatchProcessor
    dead_letters: MemoryDeadLetters
    database: Database

    def command(
        self,
        email: str = ADA,
        *,
        password: str = PASSWORD,
        display_name: str | None = None,
        fingerprint: str | None = None,
        purpose: str = "signup",
    ) -> InboundMessage[SignUp]:
        """As the gateway makes it."""
        envelope = an_envelope(SignUp)
        content = {
            "email": email,
            "password": password,
            "display_name": display_name,
            "fingerprint": fingerprint,
        }
        bound_to = binding(envelope.id, purpose, envelope.time.isoformat())
        return received(
            SignUp(sealed=self.sealing.seal(content, bound_to)), envelope=envelope, key=email
        )

    def record(self, command: InboundMessage[SignUp]) -> ARecord:
        """The same as a record of its topic."""
        return a_record(command.data, envelope=command.envelope)

    async def handle(self, command: InboundMessage[SignUp]) -> None:
        await sign_up(self.parts, command)

    async def users(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM users ORDER BY created_at, id")
