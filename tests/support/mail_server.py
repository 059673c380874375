"""A real SMTP server in the test's loop, which takes, refuses, defers or drops as set."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TAKE = "250 2.0.0 Ok"
DROP = "drop"
"""Keep the mail, and go without a word."""


@dataclass(frozen=True)
class Taken:
    """A mail that the server has."""

    recipient: str
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, subtype: str) -> str:
        body = self.mail.get_body(preferencelist=(subtype,))
        assert body
        return str(body.get_content())


@dataclass
class MailServer:
    """Answers from the scripts while they last, then takes everything."""

    at_sender: deque[str] = field(default_factory=deque)
    at_recipient: deque[str] = field(default_factory=deque)
    at_content: deque[str] = field(default_factory=deque)
    taken: list[Taken] = field(default_factory=list)
    asked: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    utf8: bool = True
    tls: SSLContext | None = None
    """From the first byte on (smtps)."""
    starttls: SSLContext | None = None
    """Demanded before anything else."""
    login: tuple[str, str] | None = None
    """User and password, as far as they are asked for."""
    logged_in: int = 0
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            return SMTP(
                self,
                enable_SMTPUTF8=self.utf8,
                hostname="mail.example.com",
                loop=loop,
                tls_context=self.starttls,
                require_starttls=self.starttls is not None,
                authenticator=self._evaluate,
                auth_require_tls=self.tls is None,  # it knows nothing of TLS around it
            )

        self._server = await loop.create_server(session, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _evaluate(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, given: object
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        same = (given.login.decode(), given.password.decode()) == self.login
        self.logged_in += same
        return AuthResult(success=same, handled=False)

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name for it
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        answer = self.at_sender.popleft() if self.at_sender else TAKE
        if answer == TAKE:
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name for it
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        answer = self.at_recipient.popleft() if self.at_recipient else TAKE
        if answer == TAKE:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name for it
        self, server: SMTP, _: Session, envelope: Envelope
    ) -> str:
        self.asked += 1
        await self.open.wait()
        answer = self.at_content.popleft() if self.at_content else TAKE
        if answer in (TAKE, DROP):
            assert isinstance(envelope.original_content, bytes)
            self.taken.append(Taken(envelope.rcpt_tos[0], envelope.original_content))
        if answer == DROP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return TAKE if answer == DROP else answer


@asynccontextmanager
async def running_mail_server(*, utf8: bool = True) -> AsyncIterator[MailServer]:
    server = MailServer(utf8=utf8)
    server.open.set()
    await server.start()
    try:
        yield server
    finally:
        server.open.set()
        await server.stop()
