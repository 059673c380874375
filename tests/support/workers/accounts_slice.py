"""The slice on a real database: sealed commands in, sessions and events out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.commands import RefreshToken, SignIn
from contracts.outcomes import Outcome, Rejected, SealedOutcome
from contracts.topics import ACCOUNTS, SIGNIN, topics_of
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dispatch import dispatch_each
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.security.access_tokens import Principal, TokenChecker
from infra.security.password_hashing import HashingSlot, Passwords
from infra.security.refresh_tokens import session_of
from infra.security.seals import OpeningKeys, SealError, SealingKey, binding
from tests.support.message_builders import (
    ARecord,
    MemoryDeadLetters,
    a_record,
    an_envelope,
    no_sleep,
    received,
)
from tests.support.outbox import MemoryOutcomeNotifier
from tests.support.postgres import Database
from tests.support.users import ADA, PASSWORD, a_user
from workers.accounts.consumer import POLICY
from workers.accounts.dependencies import AccountsDeps
from workers.accounts.handlers import HANDLES

TIME_TO_EXECUTE = timedelta(seconds=15)


REFRESH_KEY = bytes(range(100, 132))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_deadlines(self) -> None:
        self.time += TIME_TO_EXECUTE


Meanwhile = Callable[[], Awaitable[None]]


class InterruptedPasswords(Passwords):
    """Something happens as a turn begins, and as it ends; each once."""

    def __init__(
        self,
        begins: Meanwhile | None = None,
        ends: Meanwhile | None = None,
        *,
        memory_kib: int = 8,
    ) -> None:
        super().__init__(at_once=2, memory_kib=memory_kib, iterations=1)
        self._begins = begins
        self._ends = ends
        self.slots = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[HashingSlot]:
        async with super().slot() as slot:
            self.slots += 1
            if self.slots == 1 and self._begins:
                await self._begins()
            yield slot
        if self.slots == 1 and self._ends:
            await self._ends()


@dataclass(kw_only=True)
class AccountsSlice:
    """The slice; the gateway's key to it, and the keys to what it answers."""

    parts: AccountsDeps
    begun: AccountsDeps
    """The same with the transactions of the consumer of sessions that have begun."""
    sealing: SealingKey
    replies: OpeningKeys
    reply_key: str
    checker: TokenChecker
    clock: Clock
    outcome_notifier: MemoryOutcomeNotifier
    dead_letters: MemoryDeadLetters
    database: Database

    def command(
        self,
        email: str = ADA,
        *,
        password: str = PASSWORD,
        timeout: timedelta | None = TIME_TO_EXECUTE,
        reply_key: str | None = None,
        purpose: str = "signin",
    ) -> InboundMessage[SignIn]:
        """As the gateway makes it."""
        deadline = None if timeout is None else self.clock.time + timeout
        envelope = an_envelope(SignIn, deadline=deadline)
        content = {"email": email, "password": password, "fingerprint": None}
        bound_to = binding(envelope.id, purpose, envelope.time.isoformat())
        command = SignIn(
            sealed=self.sealing.seal(content, bound_to), reply_key=reply_key or self.reply_key
        )
        return received(command, envelope=envelope, key=email)

    def refresh(
        self,
        token: str,
        *,
        timeout: timedelta | None = TIME_TO_EXECUTE,
        reply_key: str | None = None,
        several_tabs: bool = False,
    ) -> InboundMessage[RefreshToken]:
        """As the gateway makes it."""
        deadline = None if timeout is None else self.clock.time + timeout
        envelope = an_envelope(RefreshToken, deadline=deadline)
        bound_to = binding(envelope.id, "refresh", envelope.time.isoformat())
        command = RefreshToken(
            sealed=self.sealing.seal(
                {"refresh_token": token, "several_tabs": several_tabs}, bound_to
            ),
            reply_key=reply_key or self.reply_key,
        )
        return received(command, envelope=envelope, key=str(session_of(token)))

    async def handle(self, command: InboundMessage[Any]) -> None:
        await HANDLES[type(command.data)](self.deps_of(command), command)

    async def take(self, *commands: InboundMessage[Any]) -> None:
        """As a batch of records of the consumer that the first is for."""
        consumer = SIGNIN if isinstance(commands[0].data, SignIn) else ACCOUNTS
        deps = self.deps_of(commands[0])
        work = BatchProcessor(
            consumer.name,
            dispatch_each(HANDLES, deps),
            reader=RecordReader({m.type: m for t in topics_of(consumer) for m in t.carries}, None),
            dead_letters=self.dead_letters,
            transactions=deps.transactions,
            policy=POLICY,
            sleep=no_sleep,
            touch=lambda: None,
        )
        records: list[ARecord] = [
            a_record(c.data, envelope=c.envelope, key=(c.origin.key or b"").decode())
            for c in commands
        ]
        await work.take(records)

    def deps_of(self, command: InboundMessage[Any]) -> AccountsDeps:
        return self.parts if isinstance(command.data, SignIn) else self.begun

    async def signed_in(self, email: str = ADA) -> dict[str, Any]:
        """A user's first tokens, or the next ones."""
        command = self.command(email)
        await self.handle(command)
        return self.tokens(command)

    async def refreshed(self, token: str, *, several_tabs: bool = False) -> dict[str, Any]:
        command = self.refresh(token, several_tabs=several_tabs)
        await self.handle(command)
        return self.tokens(command)

    async def refused(self, token: str) -> str:
        """Why a refresh token is refused."""
        command = self.refresh(token)
        await self.handle(command)
        outcome = self.outcomes[-1]
        assert isinstance(outcome, Rejected)
        return outcome.code

    async def later(self, passed: timedelta) -> None:
        """Everything about tokens and sessions happened that much earlier."""
        await self.database.execute(
            """
            UPDATE refresh_tokens
               SET created_at = created_at - $1::interval, expires_at = expires_at - $1::interval,
                   spent_at = spent_at - $1::interval
            """,
            passed,
        )
        await self.database.execute(
            """
            UPDATE sessions
               SET created_at = created_at - $1::interval,
                   last_used_at = last_used_at - $1::interval,
                   expires_at = expires_at - $1::interval
            """,
            passed,
        )

    async def user(self, email: str = ADA, **about: Any) -> UUID:
        """Somebody with a password, `PASSWORD` unless another hash is given."""
        about.setdefault("password_hash", await self.hash(PASSWORD))
        return await a_user(self.database, email, **about)

    async def hash(self, password: str) -> str:
        async with self.parts.passwords.slot() as slot:
            return await slot.hash(password)

    async def change_password(self, user_id: UUID, password: str) -> None:
        await self.database.execute(
            "UPDATE users SET password_hash = $2 WHERE id = $1", user_id, await self.hash(password)
        )

    async def password_hash(self, user_id: UUID) -> str:
        query = "SELECT password_hash FROM users WHERE id = $1"
        (row,) = await self.database.fetch(query, user_id)
        kept: str = row["password_hash"]
        return kept

    def with_passwords(self, passwords: Passwords) -> None:
        self.parts = replace(self.parts, passwords=passwords)

    @property
    def outcomes(self) -> list[Outcome]:
        """As they were announced."""
        return [announced.outcome for announced in self.outcome_notifier.announced]

    def tokens(
        self, command: InboundMessage[SignIn] | InboundMessage[RefreshToken]
    ) -> dict[str, Any]:
        """The outcome that the asking process gets."""
        (outcome,) = {
            each.outcome
            for each in self.outcome_notifier.announced
            if each.command_id == command.envelope.id
        }
        assert isinstance(outcome, SealedOutcome)
        purpose = "signin" if isinstance(command.data, SignIn) else "refresh"
        bound_to = binding(command.envelope.id, f"{purpose}-outcome")
        tokens: dict[str, Any] = self.replies.open(outcome.sealed, bound_to)
        return tokens

    def opens(self, outcome: SealedOutcome, command: InboundMessage[SignIn]) -> bool:
        """Whether the answer was for this command."""
        try:
            self.replies.open(outcome.sealed, binding(command.envelope.id, "signin-outcome"))
        except SealError:
            return False
        return True

    def principal(self, tokens: dict[str, Any]) -> Principal:
        return self.checker.check(tokens["access_token"])

    async def sessions(self) -> list[dict[str, Any]]:
        return await self.database.fetch(
            """
            SELECT sessions.*, token_hash, spent_at,
                   refresh_tokens.expires_at - refresh_tokens.created_at AS lifetime
              FROM sessions JOIN refresh_tokens ON session_id = sessions.id
             ORDER BY sessions.created_at
            """
        )
