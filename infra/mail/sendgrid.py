"""Handing mail to SendGrid by its HTTP API, v3: one request a mail, every wait bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from infra.mail.sendgrid_reply import Reply, verdict
from infra.mail.sendgrid_request import body_of
from infra.mail.settings import MailSettings
from infra.mail.transport import DELIVERY_SECONDS, DeferredError, DeliveryRecord, OutgoingMail

PATH = "/v3/mail/send"
ACCEPTED = 202
READ_SECONDS = 1.0
MAX_REASON_BYTES = 64 * 1024
CONNECTIONS = 50
KEPT_SECONDS = 30.0


class _NotWantedError(Exception):
    """It may no longer go."""


@dataclass(slots=True)
class _Handing:
    """A mail as the body of a request.

    It is asked for when the connection stands and the head of the request is out: before that
    moment nobody can have the mail.
    """

    content: bytes = field(repr=False)
    record: DeliveryRecord
    begun: bool = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not await self.record.sending():
            raise _NotWantedError
        self.begun = True
        yield self.content


@dataclass(frozen=True, slots=True)
class SendGrid:
    """Its key and address are the client's."""

    http: httpx.AsyncClient

    async def deliver(self, outgoing: OutgoingMail, record: DeliveryRecord) -> None:
        """Returns when SendGrid has it, or it may not go. Raises Deferred- or RefusedError."""
        handing = _Handing(body_of(outgoing), record)
        try:
            response = await self._hand_over(handing)
        except _NotWantedError:
            return
        try:
            if response.status_code == ACCEPTED and handing.begun:
                await record.sent()
                await _reported(response)  # to its end, so that the connection serves the next mail
                return
            reply = Reply(response.status_code, response.headers, await _reported(response))
            raise verdict(reply, datetime.now(UTC))
        finally:
            await response.aclose()

    async def _hand_over(self, handing: _Handing) -> httpx.Response:
        """The head of the answer."""
        length = {"Content-Length": str(len(handing.content))}
        request = self.http.build_request("POST", PATH, content=handing, headers=length)
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                return await self.http.send(request, stream=True)
        except (httpx.TimeoutException, TimeoutError):
            raise DeferredError("timeout", perhaps_taken=handing.begun) from None
        except httpx.ConnectError:
            raise DeferredError("cannot connect") from None
        except httpx.HTTPError as error:
            reason = type(error).__name__
            raise DeferredError(reason, perhaps_taken=handing.begun) from None


@asynccontextmanager
async def open_sendgrid(settings: MailSettings) -> AsyncIterator[SendGrid]:
    """A redirect is not followed: key and mail are for this address alone."""
    key = settings.sendgrid_key.get_secret_value() if settings.sendgrid_key else ""
    async with httpx.AsyncClient(
        base_url=str(settings.sendgrid_url),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "qnt9",
        },
        timeout=settings.sendgrid_seconds,
        limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=KEPT_SECONDS),
        follow_redirects=False,
    ) as http:
        yield SendGrid(http)


async def _reported(response: httpx.Response) -> bytes:
    """As much of the body as comes soon: what has become of the mail is known by the status."""
    reported = bytearray()
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in response.aiter_raw(MAX_REASON_BYTES):
                reported += chunk
                if len(reported) >= MAX_REASON_BYTES:
                    break
    return bytes(reported)
