"""The SMTP side: accepts everything for everybody, answers 250 when it is on the disk."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter

from devstack.inbox.mailbox import Mailbox
from devstack.inbox.message import Delivery

LARGEST_MAIL = 32 * 1024 * 1024

DELIVERIES = Counter("qnt9_inbox_deliveries", "Mails by what became of them", ["outcome"])

log = structlog.get_logger()


class Sink:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        delivery = Delivery(envelope.mail_from or "", tuple(envelope.rcpt_tos))
        try:
            id_ = await asyncio.to_thread(self._mailbox.keep, delivery, content)
        except OSError as error:
            log.warning("mail_not_stored", error=str(error))
            DELIVERIES.labels("refused").inc()
            return "452 4.3.1 Cannot be stored at present"
        log.info("mail_stored", id=id_, size=len(content))
        DELIVERIES.labels("kept").inc()
        return f"250 2.0.0 Kept as {id_}"


@contextlib.asynccontextmanager
async def smtp_server(sink: Sink, host: str, port: int) -> AsyncIterator[int]:
    """Listens on entry; yields the port, in which 0 has become the one that was given."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            sink,
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_MAIL,
            hostname="inbox.localhost",
            ident="development inbox",
            loop=loop,
        )

    server = await loop.create_server(session, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1]
