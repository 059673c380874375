"""The gateway's dependencies, as many as a test needs."""

import asyncio
from types import SimpleNamespace
from typing import Any

from tests.support.gateway.authenticators import authenticator


def deps_of(**parts: Any) -> Any:
    """In production, not draining; `parts` are added or take the place of these."""
    settings = SimpleNamespace(
        cors_origins=(), environment="production", body_bytes_most=1_024, gateway_key=bytes(32)
    )
    usual = {
        "settings": settings,
        "shutdown": SimpleNamespace(draining=asyncio.Event()),
        "limits": SimpleNamespace(),
        "authenticator": authenticator(),
    }
    return SimpleNamespace(**(usual | parts))
