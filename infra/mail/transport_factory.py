"""The way out that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.mail.sendgrid import open_sendgrid
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import Mailer


@asynccontextmanager
async def open_mailer(settings: MailSettings) -> AsyncIterator[Mailer]:
    """Open the transport that the settings name, and close it on leaving the block."""
    if settings.mail_transport == "sendgrid":
        async with open_sendgrid(settings) as mailer:
            yield mailer
    else:
        yield Smtp(settings)
