"""The exchange gone while many ask, with the cache server and without: stale at once, no storm."""

import asyncio
import random
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from tests.support.e2e.exchange_control import Exchange, age_quotes, exchange_of
from tests.support.e2e.outages import counted, stopped
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import OPEN_SECONDS, Stack, User
from tests.support.waiting import eventually

SYMBOLS = [f"X{n:04}.DE" for n in range(1, 201)]
CLIENTS = size(10, 50)
SECONDS = size(8, 600)
THINK_SECONDS = 0.1
FAILURES = 5
WAIT_SECONDS = 9.0
SETTLE_SECONDS = 3.0
REFRESH_SECONDS = 240.0
P99_SECONDS = 3.0
"""Far below a look-up's wait: nobody waited for one. Clients and a busy machine are in it."""
QUICK = "0.1"
SHARE = size(0.0, 0.99)
"""Of the gateway's answers within 0.1 s: a small run shares its two cores with other tests."""


@dataclass
class Seen:
    """What clients got, from a while after the exchange had gone."""

    answers: int = 0
    stale: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.stale, n=100)[98]

    def take(self, answer: httpx.Response, seconds: float) -> None:
        self.answers += 1
        if answer.status_code != 200 or seconds > WAIT_SECONDS:
            self.wrong.append(f"{answer.status_code} after {seconds:.1f} s: {answer.text[:200]}")
            return
        quote = answer.json()
        if quote["stale"]:
            self.reasons.add(quote["stale_reason"])
            self.stale.append(seconds)
            if not quote["as_of"]:
                self.wrong.append("no time")


@dataclass
class Crowd:
    """Clients who ask for one symbol after the other."""

    stack: Stack
    user: User
    seen: Seen = field(default_factory=Seen)

    async def ask(self, seconds: float) -> None:
        async with self.stack.http(headers=self.user.headers) as http:
            ends = asyncio.get_running_loop().time() + seconds
            staying = asyncio.create_task(self._stay_signed_in(http))
            try:
                await asyncio.gather(*(self._client(http, n, ends) for n in range(CLIENTS)))
            finally:
                staying.cancel()

    async def _stay_signed_in(self, http: httpx.AsyncClient) -> None:
        """An access token lives for ten minutes."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            body = {"refresh_token": self.user.refresh_token}
            answer = await http.post("/api/v1/auth/refresh", json=body)
            assert answer.status_code == 200, answer.text
            tokens = {name: answer.json()[name] for name in ("access_token", "refresh_token")}
            self.user = replace(self.user, **tokens)
            http.headers.update(self.user.headers)

    async def _client(self, http: httpx.AsyncClient, number: int, ends: float) -> None:
        loop, chance = asyncio.get_running_loop(), random.Random(number)
        while loop.time() < ends:
            began = loop.time()
            answer = await http.get(f"/api/v1/quotes/{chance.choice(SYMBOLS)}")
            self.seen.take(answer, loop.time() - began)
            await asyncio.sleep(chance.uniform(0, 2 * THINK_SECONDS))


async def at_the_gateway(stack: Stack) -> tuple[float, float]:
    """How many quotes were answered quickly by the gateway's own clock, and how many at all."""
    route = "/api/v1/quotes/{symbol}"
    metric = "qnt9_http_request_seconds"
    quick = await counted(stack, "gateway", f"{metric}_bucket", route=route, le=QUICK)
    return quick, await counted(stack, "gateway", f"{metric}_count", route=route)


async def all_quotes(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    quotes: list[dict[str, Any]] = []
    for n in range(0, len(SYMBOLS), 100):
        params = {"symbols": ",".join(SYMBOLS[n : n + 100])}
        answer = await http.get("/api/v1/quotes", params=params)
        assert answer.status_code == 200, answer.text
        quotes += [item["quote"] for item in answer.json()["items"]]
    return quotes


async def until_renewed(stack: Stack, user: User) -> None:
    """Every quote is a new one."""
    async with stack.http(headers=user.headers) as http:
        since = max(quote["fetched_at"] for quote in await all_quotes(http))

        async def renewed() -> bool:
            quotes = await all_quotes(http)
            return all(not q["stale"] and q["fetched_at"] > since for q in quotes)

        await eventually(renewed, seconds=60, what="every quote renewed")


@asynccontextmanager
async def gone(exchange: Exchange) -> AsyncIterator[None]:
    """The exchange answers nobody."""
    await exchange.fault("*", kind="reset")
    try:
        yield
    finally:
        await exchange.heal()


@pytest.mark.prove
@pytest.mark.timeout(300 + 2 * SECONDS)
@pytest.mark.parametrize("cache", [True, False], ids=["with-cache", "without-cache"])
async def test_quote_outage(stack: Stack, cache: bool, evidence: Evidence) -> None:
    """Everybody is answered at once, and the exchange is left alone."""
    user = await stack.verified_user()
    crowd = Crowd(stack, user)
    async with AsyncExitStack() as ended:
        exchange = await ended.enter_async_context(exchange_of(stack))
        async with stack.http(headers=user.headers) as http:
            assert all(await all_quotes(http))
        if not cache:
            await ended.enter_async_context(stopped(stack, "valkey"))
        async with gone(exchange):
            await age_quotes(stack)
            await crowd.ask(SETTLE_SECONDS)
            assert crowd.seen.wrong == []
            crowd.seen = Seen()
            before = await exchange.calls()
            earlier = await at_the_gateway(stack)
            await crowd.ask(SECONDS)
            quick, all_of_them = await at_the_gateway(stack)
            asked = await exchange.calls() - before
            displayed = (await asyncio.to_thread(stack.run, "status")).stdout
        seen = crowd.seen
        assert len(seen.stale) > 0.5 * seen.answers
        share = (quick - earlier[0]) / (all_of_them - earlier[1])
        assert seen.wrong == []
        assert "circuit_open" in seen.reasons
        assert seen.p99 < P99_SECONDS
        assert share >= SHARE
        assert asked <= FAILURES + 2 * SECONDS / OPEN_SECONDS
        assert "sandbox: circuit " in displayed
        before = await exchange.calls()
        await until_renewed(stack, crowd.user)
        recovery = await exchange.calls() - before
        # A crowd that trickles in on a busy machine makes smaller batches than twenty.
        assert recovery <= len(SYMBOLS) / 20 * 8
    for state in ("open", "half_open", "closed"):
        assert await counted(stack, "quotes", "qnt9_circuit_changes_total", to=state)
    async with stack.postgres() as database:

        async def reported() -> bool:
            query = """
                SELECT array_agg(DISTINCT details ->> 'after')
                  FROM audit_log WHERE action = 'provider.circuit_changed'
            """
            return set(await database.fetchval(query) or ()) == {"open", "half_open", "closed"}

        await eventually(reported, what="every transition in the log")
    evidence.record(
        f"Quote outage {'with' if cache else 'without'} the cache",
        "The exchange answers nobody while clients go on asking; then it is back.",
        {
            "seconds away": SECONDS,
            "clients": CLIENTS,
            "symbols": len(SYMBOLS),
            "answers": seen.answers,
            "of them stale": len(seen.stale),
            "anything else than 200": len(seen.wrong),
            f"within {QUICK} s by the gateway": f"{share:.2%}",
            "p99 of stale answers at the client": f"{seen.p99 * 1000:.0f} ms",
            "calls to the exchange meanwhile": asked,
            "calls to the exchange until all were fresh": recovery,
        },
    )
