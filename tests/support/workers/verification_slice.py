"""The slice on a real database: sealed commands and events in; rows, events and mails out."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from contracts.commands import ResendVerification, VerifyEmail
from contracts.events import UserSignedUp, UserSignupRepeated
from contracts.message import Message
from contracts.personal import Personal
from infra.mail.transport import Mailer
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.inbound import InboundMessage
from infra.postgres.personal_data_keys import user_keys
from infra.postgres.pool import Pool
from infra.security.seals import SealingKey, binding
from tests.support.message_builders import (
    ARecord,
    MemoryDeadLetters,
    a_record,
    an_envelope,
    received,
)
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADA, a_user
from workers.notifications.handlers import queue_mails
from workers.notifications.mail_templates import Messages
from workers.notifications.rules import Retry, mailed_token
from workers.notifications.sender import Sender
from workers.verification.handlers import VerificationDeps, resend_verification, verify_email

MAIL_KEY = bytes(range(100, 132))


PUBLIC_URL = "https://qnt9.example.com/"


FROM = "QNT9 <no-reply@example.com>"


QUICK = Retry(first=timedelta(milliseconds=5), most=timedelta(milliseconds=20))


def messages() -> Messages:
    return Messages(mail_from=FROM, public_url=PUBLIC_URL, key=MAIL_KEY)


@dataclass
class VerificationSlice:
    """The slice, and the gateway's key to it."""

    parts: VerificationDeps
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


def a_token() -> str:
    """One that was never mailed."""
    return secrets.token_urlsafe(32)
