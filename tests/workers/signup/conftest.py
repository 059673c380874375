"""The slice on a real database: sealed commands in, rows and events out."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from contracts.commands import SignUp
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.handler_calls import one_at_a_time
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from infra.security.seals import OpeningKeys, SealingKey, binding, decode_key
from tests.builders import ARecord, MemoryDeadLetters, a_record, an_envelope, no_sleep, received
from tests.outbox import MemoryOutcomeNotifier
from tests.postgres import Database
from tests.users import ADA, ADDRESS_KEY, PASSWORD, quick_passwords
from workers.signup.consumer import POLICY
from workers.signup.handlers import HANDLES, Signup, sign_up


@dataclass
class SignupSlice:
    """The slice, and the gateway's key to it."""

    parts: Signup
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


@pytest.fixture
async def deps(database: Database) -> SignupSlice:
    seals, public = OpeningKeys.generate()
    transactions = Transactions(
        await database.pool("qnt9_signup"), "signup", MemoryOutcomeNotifier()
    )
    parts = Signup(
        transactions=transactions,
        seals=seals,
        passwords=quick_passwords(),
        address_key=ADDRESS_KEY,
    )
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "signup",
        one_at_a_time({message: partial(handle, parts) for message, handle in HANDLES.items()}),
        reader=RecordReader({SignUp.type: SignUp}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return SignupSlice(parts, SealingKey(decode_key(public)), work, dead_letters, database)
