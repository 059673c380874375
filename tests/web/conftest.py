"""The front end as an application, without a server."""

from collections.abc import AsyncIterator

import httpx
import pytest

from infra.runtime.health import Health
from web.app import web_app
from web.settings import WebSettings

API = "https://api.example.com"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    settings = WebSettings(environment="production", public_url=API)
    app = web_app(settings, Health(started=True))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://web.example.com") as http:
        yield http
