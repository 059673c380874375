"""Yahoo's keyless protocol over HTTP; the sandbox exchange speaks it too.

Unofficial and for personal use: it may change or vanish, and every quote says where it is from.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote as quoted

import httpx

from workers.quotes.chart import Reply, read_chart
from workers.quotes.provider import Answer, MalformedError, TimedOutError, UnavailableError

USER_AGENT = "Mozilla/5.0 (compatible; qnt9/0.1)"
BODY_BYTES_MOST = 512 * 1024
CONNECTIONS = 8


@dataclass(frozen=True)
class Yahoo:
    """One call an answer: no retries, no memory. `name` is what quotes call their source."""

    http: httpx.AsyncClient
    name: str

    async def quote(self, symbol: str) -> Answer:
        path = f"/v8/finance/chart/{quoted(symbol, safe='')}"
        reply = await self._get(path, {"range": "1d", "interval": "1d"})
        return read_chart(reply, symbol, source=self.name, now=datetime.now(UTC))

    async def _get(self, path: str, query: dict[str, str]) -> Reply:
        body = bytearray()
        try:
            async with self.http.stream("GET", path, params=query) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_BYTES_MOST:
                        raise MalformedError("the body does not end")
        except httpx.TimeoutException as error:
            raise TimedOutError(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise UnavailableError(type(error).__name__) from error
        return Reply(response.status_code, bytes(body), response.headers.get("retry-after"))


@asynccontextmanager
async def open_yahoo(
    url: str, *, name: str, connect_seconds: float = 3, read_seconds: float = 8
) -> AsyncIterator[Yahoo]:
    """A redirect is not followed: it leads to a page of consent.

    Bodies come as they are, so that none grows when it is unpacked.
    """
    async with httpx.AsyncClient(
        base_url=url,
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
        limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        follow_redirects=False,
        trust_env=name != "sandbox",
    ) as http:
        yield Yahoo(http, name)
