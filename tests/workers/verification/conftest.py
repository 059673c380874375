"""The slice on a real database: sealed commands and events in; rows, events and mails out."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import pytest

from contracts.commands import ResendVerification, VerifyEmail
from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.message import Message
from contracts.personal import Personal
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import Mailer
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.handler_calls import one_at_a_time
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.security.personal_data_keys import user_keys
from infra.security.seals import OpeningKeys, SealingKey, binding, decode_key
from tests.builders import ARecord, MemoryDeadLetters, a_record, an_envelope, no_sleep, received
from tests.mailserver import MailServer, running_mail_server
from tests.outbox import MemoryOutcomeNotifier
from tests.postgres import Database
from tests.users import ADA, ADDRESS_KEY, a_user
from workers.notifications.handlers import queue_mails
from workers.notifications.mail_templates import Messages
from workers.notifications.rules import Retry, mailed_token
from workers.notifications.sender import Sender
from workers.verification.consumer import COMMANDS_POLICY
from workers.verification.handlers import HANDLES, Verification, resend_verification, verify_email

MAIL_KEY = bytes(range(100, 132))
PUBLIC_URL = "https://qnt9.example.com/"
FROM = "QNT9 <no-reply@example.com>"
QUICK = Retry(first=timedelta(milliseconds=5), most=timedelta(milliseconds=20))


def messages() -> Messages:
    return Messages(mail_from=FROM, public_url=PUBLIC_URL, key=MAIL_KEY)


@dataclass
class VerificationSlice:
    """The slice, and the gateway's key to it."""

    parts: Verification
    sealing: SealingKey
    work: BatchProcessor
    dead_letters: MemoryDeadLetters
    database: Database
    outcome_notifier: MemoryOutcomeNotifier
    woken: list[bool] = field(default_factory=list)

    def verify(
        self, token: str, *, fingerprint: str | None = None, purpose: str = "verify"
    ) -> InboundMessage[VerifyEmail]:
        """As the gateway makes it."""
        envelope = an_envelope(VerifyEmail)
        content = {"token": token, "fingerprint": fingerprint}
        sealed = self.sealing.seal(
            content, binding(envelope.id, purpose, envelope.time.isoformat())
        )
        return received(VerifyEmail(sealed=sealed), envelope=envelope, key=token)

    def resend(self, email: str = ADA) -> InboundMessage[ResendVerification]:
        envelope = an_envelope(ResendVerification)
        content = {"email": email, "fingerprint": None}
        sealed = self.sealing.seal(
            content, binding(envelope.id, "resend", envelope.time.isoformat())
        )
        return received(ResendVerification(sealed=sealed), envelope=envelope, key=email)

    def record(self, command: InboundMessage[Message]) -> ARecord:
        return a_record(command.data, envelope=command.envelope)

    async def redeem(self, token: str) -> dict[str, Any]:
        """The outcome."""
        command = self.verify(token)
        await verify_email(self.parts, command)
        return await self.outcome(command)

    async def ask_again(self, email: str = ADA) -> dict[str, Any]:
        command = self.resend(email)
        await resend_verification(self.parts, command)
        return await self.outcome(command)

    async def outcome(self, command: InboundMessage[Message]) -> dict[str, Any]:
        (row,) = await self.database.fetch(
            "SELECT outcome FROM inbox WHERE message_id = $1", command.envelope.id
        )
        outcome: dict[str, Any] = row["outcome"]
        return outcome

    async def signed_up(
        self, email: str = ADA, *, display_name: str | None = "Ada"
    ) -> tuple[UUID, str]:
        """Somebody new, and the token that was mailed."""
        await self.hours_pass()
        user_id = await a_user(self.database, email, display_name=display_name)
        await self.hear(await self.sign_up_of(user_id, email))
        return user_id, await self.token_of(user_id)

    async def hours_pass(self) -> None:
        """Every address may be mailed again."""
        await self.database.execute("DELETE FROM mail_allowances")

    async def sign_up_of(self, user_id: UUID, email: str = ADA) -> InboundMessage[UserSignedUp]:
        return received(
            UserSignedUp(user_id=user_id, email=await self.sealed(user_id, email)),
            client=None,
            key=str(user_id),
        )

    async def repeated_by(
        self, user_id: UUID, email: str = ADA
    ) -> InboundMessage[UserSignupRepeated]:
        return received(
            UserSignupRepeated(user_id=user_id, email=await self.sealed(user_id, email)),
            client=None,
            key=str(user_id),
        )

    async def sealed(self, user_id: UUID, value: str) -> Personal:
        """As it is read from a topic."""
        pool = await self.database.pool()
        async with pool.acquire() as conn:
            key = (await user_keys(conn, [user_id]))[user_id]
        return Personal.of_token(key.encrypt(value))

    async def hear(self, *events: InboundMessage[Message]) -> None:
        """Events that the slices which emit them wrote in the outbox."""
        for event in events:
            await self.database.execute(
                """
                INSERT INTO mail_requests (event_id, type, payload) VALUES ($1, $2, $3)
                    ON CONFLICT DO NOTHING
                """,
                event.envelope.id,
                event.envelope.type,
                event.data.model_dump_json(),
            )
        await self.hear_from_topic(*events)

    async def hear_from_topic(self, *events: InboundMessage[Message]) -> None:
        """Events of which the database may know nothing."""
        await queue_mails(self.parts, events)

    async def token_of(self, user_id: UUID) -> str:
        """Of the newest mail to somebody."""
        (row, *_) = await self.mails(user_id)
        return mailed_token(MAIL_KEY, row["id"])

    async def mails(self, user_id: UUID) -> list[dict[str, Any]]:
        """Newest first."""
        return await self.database.fetch(
            "SELECT * FROM mails WHERE user_id = $1 ORDER BY created_at DESC, id DESC", user_id
        )

    async def user(self, user_id: UUID) -> dict[str, Any]:
        (row,) = await self.database.fetch("SELECT * FROM users WHERE id = $1", user_id)
        return row

    async def status(self, user_id: UUID) -> str:
        (row, *_) = await self.mails(user_id)
        return str(row["status"])


@pytest.fixture
async def deps(database: Database) -> VerificationSlice:
    seals, public = OpeningKeys.generate()
    pool = await database.pool("qnt9_verification")
    outcome_notifier = MemoryOutcomeNotifier()
    transactions = Transactions(pool, "verification", outcome_notifier)
    woken: list[bool] = []
    parts = Verification(
        transactions=transactions,
        mail_transactions=Transactions(pool, "verification-mails"),
        seals=seals,
        address_key=ADDRESS_KEY,
        messages=messages(),
        wake_sender=lambda: woken.append(True),
    )
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "verification",
        one_at_a_time({message: partial(handle, parts) for message, handle in HANDLES.items()}),
        reader=RecordReader({message.type: message for message in HANDLES}, None),
        dead_letters=dead_letters,
        transactions=transactions,
        policy=COMMANDS_POLICY,
        sleep=no_sleep,
        touch=lambda: None,
    )
    return VerificationSlice(
        parts, SealingKey(decode_key(public)), work, dead_letters, database, outcome_notifier, woken
    )


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:
        yield running


class StartSender(Protocol):
    async def __call__(
        self,
        *,
        retry: Retry = ...,
        poll: float = ...,
        lease: timedelta = ...,
        seconds: float = ...,
        mailer: Mailer | None = ...,
        pool: Pool | None = ...,
    ) -> Sender: ...


@pytest.fixture
async def start_sender(deps: VerificationSlice, server: MailServer) -> AsyncIterator[StartSender]:
    """Each call starts one more sender, as the slice's own process has it."""

    @asynccontextmanager
    async def running(sender: Sender) -> AsyncIterator[Sender]:
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            await sender.stop()
            task.cancel()
            await asyncio.wait({task})

    async with AsyncExitStack() as stack:

        async def start(
            *,
            retry: Retry = QUICK,
            poll: float = 0.02,
            lease: timedelta = timedelta(seconds=90),
            seconds: float = 5.0,
            mailer: Mailer | None = None,
            pool: Pool | None = None,
        ) -> Sender:
            pool = pool or await deps.database.pool("qnt9_verification")
            settings = MailSettings.model_validate(
                {"smtp_url": server.url, "mail_from": FROM, "smtp_seconds": seconds}
            )
            sender = Sender(
                pool,
                Transactions(pool, "verification"),
                messages(),
                mailer or Smtp(settings),
                retry=retry,
                poll=poll,
                lease=lease,
            )
            deps.parts = replace(deps.parts, wake_sender=sender.wake)
            return await stack.enter_async_context(running(sender))

        yield start


def a_token() -> str:
    """One that was never mailed."""
    return secrets.token_urlsafe(32)
