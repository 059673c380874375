"""Handing mail to a server (SMTP, RFC 5321): one mail a connection, every wait bounded.

What a server says may repeat the address: of its answers only the codes leave this module.
"""

import asyncio
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import HeaderParser
from typing import Annotated, Protocol, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import (
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
)
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr, model_validator

from infra.settings import ProcessSettings

DELIVERY_SECONDS = 60.0
QUIT_SECONDS = 1.0
PERMANENT = 500

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_PORTS = {"smtp": 25, "smtps": 465}


def _one_sender(value: str) -> str:
    parse_sender(value)
    return value


def _server(value: SecretStr) -> SecretStr:
    url = urlsplit(value.get_secret_value())
    if url.scheme not in _PORTS or not url.hostname or url.path not in ("", "/"):
        raise ValueError("must be smtp://[user:password@]host[:port] or smtps://…")
    if (url.username is None) != (url.password is None):
        raise ValueError("needs both a user and a password, or neither")
    _ = url.port  # raises for what is no port
    return value


class MailSettings(ProcessSettings):
    """Which server takes our mail, and in whose name it is written."""

    smtp_url: Annotated[SecretStr, AfterValidator(_server)]
    smtp_starttls: bool = False
    smtp_seconds: float = Field(default=20.0, gt=0, le=50)
    mail_from: Annotated[str, AfterValidator(_one_sender)]

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        url = urlsplit(self.smtp_url.get_secret_value())
        secured = url.scheme == "smtps" or self.smtp_starttls
        if url.password and not secured and self.environment == "production":
            raise ValueError("a password needs smtps:// or QNT9_SMTP_STARTTLS=true")
        return self


class DeferredError(Exception):
    """Not taken now; it may be another time. `perhaps_taken`: nobody can tell whether it was."""

    def __init__(self, reason: str, *, perhaps_taken: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_taken = perhaps_taken


class RefusedError(Exception):
    """This mail, or this recipient, is refused for good."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with its envelope."""

    sender: str
    recipient: str = field(repr=False)
    content: EmailMessage = field(repr=False)

    @property
    def needs_utf8(self) -> bool:
        """Whether an address goes beyond ASCII (SMTPUTF8, RFC 6531)."""
        return not (self.sender + self.recipient).isascii()


class Journal(Protocol):
    """What is written down about a mail on its way."""

    async def sending(self) -> bool:
        """The server would take it now: whether it may still go."""

    async def sent(self) -> None:
        """The server has taken it."""


class Smtp:
    """One server, given by its URL."""

    def __init__(self, settings: MailSettings) -> None:
        url = urlsplit(settings.smtp_url.get_secret_value())
        self._host = url.hostname
        self._port = url.port or _PORTS[url.scheme]
        self._username = unquote(url.username) if url.username else None
        self._password = unquote(url.password) if url.password else None
        self._tls = url.scheme == "smtps"
        self._starttls = settings.smtp_starttls and not self._tls
        self._seconds = settings.smtp_seconds

    async def deliver(self, letter: Letter, journal: Journal) -> None:
        """Returns when the server has it, or it may not go. Raises Deferred- or RefusedError."""
        client = self._client()
        try:
            if await self._hand_over(client, letter, journal):
                await journal.sent()
                with suppress(SMTPException, OSError, TimeoutError):
                    await client.quit(timeout=QUIT_SECONDS)
        finally:
            client.close()

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: Letter, journal: Journal) -> bool:
        begun = False
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._open(client, letter)
                if not await journal.sending():
                    return False
                begun = True
                await self._data(client, letter)
        except TimeoutError:
            raise DeferredError("timeout", perhaps_taken=begun) from None
        return True

    async def _open(self, client: aiosmtplib.SMTP, letter: Letter) -> None:
        """Up to the point where the server waits for the mail itself."""
        encoding = "utf-8" if letter.needs_utf8 else "ascii"
        try:
            await client.connect()
            await client.ehlo()
            if letter.needs_utf8 and not client.supports_extension("smtputf8"):
                raise RefusedError("the server takes no address beyond ASCII")
            options = ["SMTPUTF8", "BODY=8BITMIME"] if letter.needs_utf8 else []
            await client.mail(letter.sender, options=options, encoding=encoding)
            await client.rcpt(letter.recipient, encoding=encoding)
        except SMTPRecipientRefused as error:
            raise _verdict(error) from None
        except (SMTPException, OSError, ValueError) as error:
            raise DeferredError(_reason(error)) from None

    async def _data(self, client: aiosmtplib.SMTP, letter: Letter) -> None:
        rules = policy.SMTPUTF8 if letter.needs_utf8 else policy.SMTP.clone(cte_type="7bit")
        try:
            await client.data(letter.content.as_bytes(policy=rules))
        except SMTPDataError as error:
            raise _verdict(error) from None
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
            timeout=self._seconds,
        )


def parse_sender(value: str) -> Address:
    """The one address of a From line. Raises `ValueError`."""
    if not value.isprintable():
        raise ValueError("must be one line")
    header = HeaderParser(policy=policy.SMTP).parsestr(f"From: {value}\n\n")["From"]
    addresses: tuple[Address, ...] = header.addresses
    if header.defects or len(addresses) != 1 or not addresses[0].domain:
        raise ValueError("must be one address, as in: QNT9 <no-reply@example.com>")
    return addresses[0]


def on_the_wire(address: str) -> str:
    """The address with its domain in ASCII, where the part before it lets that suffice."""
    if address.isascii():
        return address
    try:
        parsed = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address
    return parsed.ascii_email or address


def _verdict(error: SMTPResponseException) -> DeferredError | RefusedError:
    kind = RefusedError if error.code >= PERMANENT else DeferredError
    return kind(_reason(error))


def _reason(error: Exception) -> str:
    """Codes and the kind of error, nothing that the server wrote."""
    if isinstance(error, SMTPResponseException):
        enhanced = _ENHANCED.match(error.message)
        return " ".join(filter(None, (str(error.code), enhanced and enhanced[0])))
    if isinstance(error, SMTPConnectError):
        return "cannot connect"
    return type(error).__name__
