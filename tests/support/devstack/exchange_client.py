"""Fixtures."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from devstack.exchange.app import exchange_app
from devstack.exchange.delivery import ResettableProtocol
from devstack.exchange.listings import load_listings
from devstack.exchange.middleware import Exchange
from infra.runtime.health import Health
from infra.runtime.http_server import http_server

AGENT = {"User-Agent": "Mozilla/5.0 (compatible; qnt9/0.1)"}


MONDAY_NOON_IN_BERLIN = "2026-03-02T12:00:00+01:00"


@dataclass
class Client:
    http: httpx.AsyncClient

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.http.get(path, params=query)

    async def chart(self, symbol: str, **query: str) -> dict[str, Any]:
        answer = (await self.get(f"/v8/finance/chart/{symbol}", **query)).raise_for_status()
        (result,) = answer.json(parse_float=Decimal)["chart"]["result"]
        assert isinstance(result, dict)
        return result

    async def price(self, symbol: str) -> Decimal:
        return Decimal((await self.chart(symbol))["meta"]["regularMarketPrice"])

    async def fault(self, target: str, *faults: dict[str, Any]) -> None:
        body: Any = list(faults) if len(faults) != 1 else faults[0]
        (await self.http.put(f"/_control/faults/{target}", json=body)).raise_for_status()

    async def clock(self, now: str | float) -> None:
        (await self.http.put("/_control/clock", json={"now": now})).raise_for_status()

    async def bucket(self, **policy: Any) -> None:
        (await self.http.put("/_control/bucket", json=policy)).raise_for_status()

    async def log(self) -> dict[str, Any]:
        request_log: dict[str, Any] = (await self.http.get("/_control/log")).json()
        return request_log


@contextlib.asynccontextmanager
async def running_exchange() -> AsyncIterator[Client]:
    app = exchange_app(Exchange(load_listings()), Health(started=True))
    async with (
        http_server(app, "127.0.0.1", 0, protocol=ResettableProtocol) as url,
        httpx.AsyncClient(base_url=url, headers=AGENT, trust_env=False) as http,
    ):
        yield Client(http)
