"""What takes a password, and profiles: sealed commands in; rows, events and announcements out."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import base64url
from contracts.commands import (
    ChangeEmail,
    ChangePassword,
    ConfirmSignUp,
    EraseAccount,
    ResetPassword,
    UndoEmailChange,
    UpdateProfile,
)
from contracts.ids import uuid7
from contracts.message import Command
from contracts.outcomes import Outcome
from contracts.topics import ACCOUNTS, PASSWORDS
from infra.messaging.inbound import InboundMessage
from infra.messaging.transaction import Transactions
from infra.security.access_tokens import TokenSigner
from infra.security.seals import OpeningKeys, SealingKey, binding
from tests.support.message_builders import an_envelope, received
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADA, PASSWORD, a_user
from tests.support.workers.accounts_deps import accounts_deps
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.handlers import HANDLES

NEW_PASSWORD = "Copper-meadow-27-violin"
PURPOSES: dict[type[Command], str] = {
    ChangePassword: "password-change",
    ResetPassword: "password-reset",
    ChangeEmail: "email-change",
    EraseAccount: "erase",
    UpdateProfile: "profile",
    ConfirmSignUp: "confirm-signup",
    UndoEmailChange: "email-undo",
}


@dataclass(kw_only=True)
class GuardedSlice:
    """The slice, and the gateway's key to it."""

    parts: AccountsDeps
    profiles: AccountsDeps
    """The same with the transactions of the consumer of profiles."""
    sealing: SealingKey
    outcome_notifier: MemoryOutcomeNotifier
    database: Database

    def command(
        self,
        kind: type[Command],
        content: dict[str, Any],
        *,
        actor: UUID | None = None,
        purpose: str | None = None,
        **data: Any,
    ) -> InboundMessage[Any]:
        """As the gateway makes it."""
        envelope = an_envelope(kind, actor=actor)
        bound_to = binding(envelope.id, purpose or PURPOSES[kind], envelope.time.isoformat())
        sealed = self.sealing.seal({"fingerprint": "a-body", **content}, bound_to)
        return received(kind(sealed=sealed, **data), envelope=envelope, actor=actor)

    async def handle(self, command: InboundMessage[Any]) -> Outcome:
        """What was announced of it."""
        deps = self.profiles if isinstance(command.data, UpdateProfile) else self.parts
        await HANDLES[type(command.data)](deps, command)
        (announced,) = [
            a for a in self.outcome_notifier.announced if a.command_id == command.envelope.id
        ]
        assert announced.fingerprint == "a-body"
        return announced.outcome

    async def change_password(
        self, user_id: UUID, current: str = PASSWORD, *, session: UUID | None = None
    ) -> Outcome:
        content = {"current_password": current, "new_password": NEW_PASSWORD}
        return await self.handle(
            self.command(ChangePassword, content, actor=user_id, session_id=session or uuid7())
        )

    async def reset_password(self, token: str, new: str = NEW_PASSWORD) -> Outcome:
        content = {"token": token, "new_password": new}
        return await self.handle(self.command(ResetPassword, content))

    async def confirm_sign_up(self, token: str, **proof: str) -> Outcome:
        return await self.handle(self.command(ConfirmSignUp, {"token": token, **proof}))

    async def undo_email_change(self, token: str, new: str = NEW_PASSWORD) -> Outcome:
        content = {"token": token, "new_password": new}
        return await self.handle(self.command(UndoEmailChange, content))

    async def change_email(
        self, user_id: UUID, new_email: str, password: str = PASSWORD
    ) -> Outcome:
        content = {"new_email": new_email, "password": password}
        return await self.handle(self.command(ChangeEmail, content, actor=user_id))

    async def erase(self, user_id: UUID, password: str = PASSWORD) -> Outcome:
        return await self.handle(self.command(EraseAccount, {"password": password}, actor=user_id))

    async def update_profile(self, user_id: UUID, **profile: Any) -> Outcome:
        return await self.handle(self.command(UpdateProfile, profile, actor=user_id))

    async def user(self, email: str = ADA, **about: Any) -> UUID:
        """Somebody verified, with `PASSWORD`."""
        async with self.parts.passwords.slot() as slot:
            about.setdefault("password_hash", await slot.hash(PASSWORD))
        return await a_user(self.database, email, **({"verified": True} | about))

    async def hash(self, password: str) -> str:
        async with self.parts.passwords.slot() as slot:
            return await slot.hash(password)

    async def password_of(self, user_id: UUID) -> str | None:
        """Which of the two it is."""
        known = (await self.row(user_id))["password_hash"]
        async with self.parts.passwords.slot() as slot:
            for password in (PASSWORD, NEW_PASSWORD):
                if await slot.matches(password, known):
                    return password
        return None

    async def row(self, user_id: UUID) -> dict[str, Any]:
        (row,) = await self.database.fetch("SELECT * FROM users WHERE id = $1", user_id)
        return row

    async def session(self, user_id: UUID) -> UUID:
        session_id = uuid7()
        await self.database.execute(
            "INSERT INTO sessions (id, user_id) VALUES ($1, $2)", session_id, user_id
        )
        await self.database.execute(
            """
            INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
            VALUES ($1, $2, now() + interval '1 day')
            """,
            secrets.token_bytes(32),
            session_id,
        )
        return session_id

    async def open_sessions(self, user_id: UUID) -> set[UUID]:
        rows = await self.database.fetch(
            "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL", user_id
        )
        return {row["id"] for row in rows}

    async def mailed_token(
        self, user_id: UUID, purpose: str = "reset", *, expired: bool = False, queued: bool = False
    ) -> str:
        """As the verification slice leaves it."""
        token, mail_id = secrets.token_urlsafe(32), uuid7()
        await self.database.execute(
            """
            INSERT INTO mails (id, user_id, template, template_version, message_id, parameters,
                               status, last_error)
            VALUES ($1, $2, $3, 1, $4, 'p1.parameters', CASE WHEN $5 THEN 'queued' ELSE 'sent' END,
                    'an error')
            """,
            mail_id,
            user_id,
            purpose,
            f"<{mail_id}@example.com>",
            queued,
        )
        await self.database.execute(
            """
            INSERT INTO mailed_tokens (token_hash, mail_id, user_id, purpose, expires_at)
            VALUES ($1, $2, $3, $4,
                    now() + CASE WHEN $5 THEN -1 ELSE 1 END * interval '30 minutes')
            """,
            hashlib.sha256(token.encode()).digest(),
            mail_id,
            user_id,
            purpose,
            expired,
        )
        return token


async def a_guarded_slice(database: Database) -> GuardedSlice:
    seals, public = OpeningKeys.generate()
    outcome_notifier = MemoryOutcomeNotifier()
    pool = await database.pool("qnt9_accounts")
    signer = TokenSigner(Ed25519PrivateKey.generate().private_bytes_raw())
    parts = accounts_deps(pool, PASSWORDS, outcome_notifier, seals=seals, signer=signer)
    return GuardedSlice(
        parts=parts,
        profiles=replace(parts, transactions=Transactions(pool, ACCOUNTS.name, outcome_notifier)),
        sealing=SealingKey(base64url.decode(public)),
        outcome_notifier=outcome_notifier,
        database=database,
    )
