"""One HTTP call to a provider: bounded in time and size, following nobody anywhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from workers.quotes.provider import MalformedError, TimedOutError, UnavailableError
from workers.quotes.replies import Reply

USER_AGENT = "Mozilla/5.0 (compatible; qnt9/0.1)"
MAX_BODY_BYTES = 512 * 1024
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take."""

    connect_seconds: float = 3.0
    read_seconds: float = 8.0


async def get(http: httpx.AsyncClient, path: str, query: dict[str, str]) -> Reply:
    """Raises `TimedOutError`, `UnavailableError`, `MalformedError`."""
    body = bytearray()
    try:
        async with http.stream("GET", path, params=query) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise MalformedError("the body does not end")
    except httpx.TimeoutException as error:
        raise TimedOutError(type(error).__name__) from error
    except httpx.HTTPError as error:
        raise UnavailableError(type(error).__name__) from error
    return Reply(response.status_code, bytes(body), response.headers.get("retry-after"))


@asynccontextmanager
async def open_http(
    url: str, timeouts: Timeouts, *, headers: dict[str, str], trust_env: bool
) -> AsyncIterator[httpx.AsyncClient]:
    """A redirect is not followed: it leads to a page of consent.

    Bodies come as they are, so that none grows when it is unpacked.
    """
    async with httpx.AsyncClient(
        base_url=url,
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **headers,
        },
        timeout=httpx.Timeout(timeouts.read_seconds, connect=timeouts.connect_seconds),
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        follow_redirects=False,
        trust_env=trust_env,
    ) as http:
        yield http
