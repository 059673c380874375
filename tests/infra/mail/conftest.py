"""Fixtures of tests about mail transports."""

from collections.abc import AsyncIterator

import pytest

from infra.mail.transport import Mailer
from infra.mail.transport_factory import open_mailer
from tests.support.infra.sendgrid import SECONDS, settings_for
from tests.support.sendgrid_server import SendGridApi, running_sendgrid


@pytest.fixture
async def api() -> AsyncIterator[SendGridApi]:
    """A stand-in for SendGrid's API."""
    async with running_sendgrid() as running:
        yield running


@pytest.fixture
async def mailer(api: SendGridApi) -> AsyncIterator[Mailer]:
    """A mailer that sends by this API."""
    settings = settings_for(api.url, sendgrid_seconds=SECONDS)
    async with open_mailer(settings) as opened:
        yield opened
