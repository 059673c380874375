"""Handing mail to a server (SMTP, RFC 5321): one mail a connection, every wait bounded."""

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from email import policy
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import (
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)

from infra.mail.settings import PORTS, MailSettings
from infra.mail.transport import (
    DELIVERY_SECONDS,
    DeferredError,
    DeliveryRecord,
    OutgoingMail,
    RefusedError,
)
from infra.runtime.tls import distrust, is_lasting, kind_of

QUIT_SECONDS = 1.0
PERMANENT = 500

MAILBOX = frozenset({550, 551, 552, 553, 556})
"""What is said of a mailbox or its domain (RFC 5321, 7504), unless an enhanced code says more."""

_ENHANCED = re.compile(r"(?:^|\(#)([245]\.\d{1,3}\.\d{1,3})\b")
_ABOUT_US = re.compile(r"5\.(7\.\d+|1\.[78])")
_ABOUT_RECIPIENT = re.compile(r"5\.[12]\.\d+")


class Smtp:
    """One server, given by its URL."""

    def __init__(self, settings: MailSettings) -> None:
        url = urlsplit(settings.smtp_url.get_secret_value() if settings.smtp_url else "")
        self._host = url.hostname
        self._port = url.port or PORTS[url.scheme]
        self._username = unquote(url.username) if url.username else None
        self._password = unquote(url.password) if url.password else None
        self._tls = url.scheme == "smtps"
        self._starttls = settings.smtp_starttls and not self._tls
        self._context = ssl.create_default_context(cafile=settings.smtp_ca_file)
        self._seconds = settings.smtp_seconds

    async def deliver(self, outgoing: OutgoingMail, record: DeliveryRecord) -> None:
        """Returns when the server has it, or it may not go. Raises Deferred- or RefusedError."""
        client = self._client()
        try:
            if await self._hand_over(client, outgoing, record):
                await record.sent()
                with suppress(SMTPException, OSError, TimeoutError):
                    await client.quit(timeout=QUIT_SECONDS)
        finally:
            client.close()

    async def _hand_over(
        self, client: aiosmtplib.SMTP, outgoing: OutgoingMail, record: DeliveryRecord
    ) -> bool:
        begun = False
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._open(client, outgoing)
                if not await record.sending():
                    return False
                begun = True
                await self._data(client, outgoing)
        except TimeoutError:
            raise DeferredError("timeout", perhaps_taken=begun) from None
        return True

    async def _open(self, client: aiosmtplib.SMTP, outgoing: OutgoingMail) -> None:
        """Up to the point where the server waits for the mail itself."""
        encoding = "utf-8" if outgoing.needs_utf8 else "ascii"
        try:
            await client.connect()
            await client.ehlo()
            if outgoing.needs_utf8 and not client.supports_extension("smtputf8"):
                raise RefusedError("the server takes no address beyond ASCII")
            options = ["SMTPUTF8", "BODY=8BITMIME"] if outgoing.needs_utf8 else []
            await client.mail(outgoing.sender, options=options, encoding=encoding)
            await client.rcpt(outgoing.recipient, encoding=encoding)
        except SMTPRecipientRefused as error:
            raise _at_recipient(error) from None
        except (SMTPException, OSError, ValueError) as error:
            refused = isinstance(error, SMTPResponseException) and error.code >= PERMANENT
            raise DeferredError(_reason(error), ours=refused or is_lasting(error)) from None

    async def _data(self, client: aiosmtplib.SMTP, outgoing: OutgoingMail) -> None:
        rules = policy.SMTPUTF8 if outgoing.needs_utf8 else policy.SMTP.clone(cte_type="7bit")
        try:
            await client.data(outgoing.content.as_bytes(policy=rules))
        except SMTPDataError as error:
            raise _at_content(error) from None
        except (SMTPException, OSError) as error:
            raise DeferredError(_reason(error), perhaps_taken=True) from None

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            local_hostname=socket.gethostname(),
            use_tls=self._tls,
            start_tls=self._starttls,
            tls_context=self._context,
            timeout=self._seconds,
        )


def _at_recipient(error: SMTPRecipientRefused) -> DeferredError | RefusedError:
    """Servers wait for the recipient to refuse also whom they do not know: that ends no mail."""
    reason = _reason(error)
    if error.code < PERMANENT:
        return DeferredError(reason)
    enhanced = _enhanced(error)
    about_recipient = error.code in MAILBOX or _ABOUT_RECIPIENT.fullmatch(enhanced)
    if about_recipient and not _ABOUT_US.fullmatch(enhanced):
        return RefusedError(reason)
    return DeferredError(reason, ours=True)


def _at_content(error: SMTPDataError) -> DeferredError | RefusedError:
    kind = RefusedError if error.code >= PERMANENT else DeferredError
    return kind(_reason(error))


def _reason(error: Exception) -> str:
    """Codes and the kind of error, nothing that the server wrote."""
    if isinstance(error, SMTPResponseException):
        return " ".join(filter(None, (str(error.code), _enhanced(error))))
    if isinstance(error, SMTPConnectError) and not distrust(error):
        return "cannot connect"
    return kind_of(error)


def _enhanced(error: SMTPResponseException) -> str:
    """Its code by RFC 3463: at the start, or as qmail writes it, (#5.1.1); empty without one."""
    found = _ENHANCED.search(error.message)
    return found[1] if found else ""
