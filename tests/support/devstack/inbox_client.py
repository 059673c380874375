"""Fixtures."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx

from devstack.inbox.mailbox import Mailbox
from devstack.inbox.smtp import Sink, smtp_server
from devstack.inbox.web import inbox_app
from infra.runtime.health import Health
from infra.runtime.http_server import http_server


@dataclass
class Inbox:
    http: httpx.AsyncClient
    smtp_port: int
    folder: Path

    async def receive(self, mail: EmailMessage, *recipients: str) -> None:
        await aiosmtplib.send(
            mail,
            sender="no-reply@example.com",
            recipients=list(recipients) or None,
            hostname="127.0.0.1",
            port=self.smtp_port,
            start_tls=False,
        )

    async def messages(self, **query: str) -> list[dict[str, str]]:
        answer = await self.http.get("/api/v1/messages", params=query)
        found: list[dict[str, str]] = answer.raise_for_status().json()["messages"]
        return found


@contextlib.asynccontextmanager
async def running_inbox(folder: Path) -> AsyncIterator[Inbox]:
    mailbox = Mailbox(folder)
    async with (
        http_server(inbox_app(mailbox, Health(started=True)), "127.0.0.1", 0) as url,
        smtp_server(Sink(mailbox), "127.0.0.1", 0) as smtp_port,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield Inbox(http, smtp_port, folder)


def a_mail(
    to: str = "ada@example.com", subject: str = "Hello", text: str = "Hi", html: str | None = None
) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "QNT9 <no-reply@example.com>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{abs(hash((to, subject, text)))}@example.com>"
    mail.set_content(text)
    if html is not None:
        mail.add_alternative(html, subtype="html")
    return mail
