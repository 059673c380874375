"""Controls the sandbox exchange of a running system, and ages quotes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import redis.asyncio

from contracts.quotes import CachedQuote
from tests.support.stack import Stack

AGENT = {"User-Agent": "Mozilla/5.0 (compatible; qnt9-tests/1.0)"}


@dataclass
class Exchange:
    """Its control API."""

    http: httpx.AsyncClient

    async def fault(self, target: str, **fault: Any) -> None:
        (await self.http.put(f"/_control/faults/{target}", json=fault)).raise_for_status()

    async def heal(self) -> None:
        (await self.http.delete("/_control/faults")).raise_for_status()

    async def calls(self, symbol: str | None = None) -> int:
        """How often it has been asked, for a symbol or at all."""
        counters = (await self.http.get("/_control/log")).json()["counters"]
        if symbol:
            return int(counters["symbols"].get(symbol, 0))
        return int(sum(counters["endpoints"].values()))

    async def endpoints(self) -> dict[str, int]:
        counters = (await self.http.get("/_control/log")).json()["counters"]
        return dict(counters["endpoints"])


@asynccontextmanager
async def exchange_of(stack: Stack) -> AsyncIterator[Exchange]:
    """Healthy again afterwards."""
    url = stack.urls["exchange"]["url"]
    async with httpx.AsyncClient(base_url=url, headers=AGENT, trust_env=False, timeout=60) as http:
        exchange = Exchange(http)
        try:
            yield exchange
        finally:
            await exchange.heal()


async def age_quotes(stack: Stack, *, by: timedelta = timedelta(seconds=1)) -> None:
    """Every quote went stale so long ago, in the cache, where there is one, and in its row."""
    stale_since = datetime.now(UTC) - by
    try:
        async with redis.asyncio.from_url(stack.urls["redis"]["url"]) as cache:
            async for key in cache.scan_iter("qnt9:quote:*", count=1000):
                value = await cache.get(key)
                assert value
                entry = CachedQuote.model_validate_json(value)
                aged = entry.model_copy(update={"fresh_until": stale_since})
                await cache.set(key, aged.model_dump_json(), ex=3600)
    except redis.exceptions.ConnectionError:
        pass
    async with stack.postgres() as database:
        await database.execute("UPDATE quotes SET fresh_until = $1", stale_since)
