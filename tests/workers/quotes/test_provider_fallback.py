"""Two providers, one behind the other."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from infra.resilience.policies import Change
from tests.support.devstack.exchange_client import Client
from tests.support.workers.quote_results import quote_in, staleness
from tests.support.workers.quotes_slice import QuotesSlice, a_link
from tests.support.workers.twelvedata_server import KEY, StandIn, a_row, running_stand_in
from workers.quotes.provider import Found, NoPrice, NotFound
from workers.quotes.provider_fallback import Failed, ProviderFallback, Verdict
from workers.quotes.twelvedata import open_twelvedata
from workers.quotes.yahoo import Yahoo

BROKEN = {"kind": "status", "status": 500}


@dataclass
class Pair:
    """The chain, and what stands for its two providers."""

    chain: ProviderFallback
    exchange: Client
    second: StandIn
    changes: deque[Change]

    async def ask(self, *symbols: str) -> dict[str, Verdict]:
        return await self.chain.quotes(symbols, within=4)


@pytest.fixture
async def pair(redis: Redis, exchange: Client, yahoo: Yahoo) -> AsyncIterator[Pair]:
    changes: deque[Change] = deque()
    async with running_stand_in() as second, open_twelvedata(second.url, KEY) as twelvedata:
        links = [a_link(yahoo, redis, changes), a_link(twelvedata, redis, changes)]
        yield Pair(ProviderFallback(links, yahoo), exchange, second, changes)


def source_of(verdict: Verdict) -> str:
    assert isinstance(verdict, Found)
    return verdict.quote.source


async def test_the_second_is_not_asked_for_what_the_first_has(pair: Pair) -> None:
    verdicts = await pair.ask("AAPL", "NOPE")
    assert source_of(verdicts["AAPL"]) == "sandbox"
    assert verdicts["NOPE"] == NotFound()
    assert pair.second.asked == []


async def test_what_the_first_cannot_report_the_second_is_asked(pair: Pair) -> None:
    pair.second.rows = {"AAPL": a_row(), "MSFT": a_row("MSFT")}
    await pair.exchange.fault("*", BROKEN)
    verdicts = await pair.ask("AAPL", "MSFT", "SAP.DE")
    assert source_of(verdicts["AAPL"]) == source_of(verdicts["MSFT"]) == "twelvedata"
    assert verdicts["SAP.DE"] == Failed("upstream_error"), "unknown to the second proves nothing"
    assert pair.second.asked == [["AAPL", "MSFT", "SAP:XETR"]]


async def test_of_one_bad_symbol_the_second_is_asked_alone(pair: Pair) -> None:
    pair.second.rows = {"MSFT": a_row("MSFT")}
    await pair.exchange.fault("MSFT", {"kind": "null_currency"})
    await pair.exchange.fault("VOD.L", {"kind": "price", "value": 0})
    verdicts = await pair.ask("AAPL", "MSFT", "VOD.L")
    assert source_of(verdicts["AAPL"]) == "sandbox"
    assert source_of(verdicts["MSFT"]) == "twelvedata"
    assert isinstance(verdicts["VOD.L"], NoPrice)


async def test_each_has_a_circuit_of_its_own(pair: Pair) -> None:
    pair.second.rows = {"AAPL": a_row()}
    await pair.exchange.fault("*", {"kind": "rate_limited"})
    for _ in range(3):
        assert source_of((await pair.ask("AAPL"))["AAPL"]) == "twelvedata"
    first, second = pair.chain.describe()
    assert (first["name"], first["circuit"], first["limited"]) == ("sandbox", "open", True)
    assert (second["name"], second["circuit"], second["last_error"]) == (
        "twelvedata",
        "closed",
        None,
    )
    assert (await pair.exchange.log())["counters"]["endpoints"] == {"chart": 1}


async def test_many_symbols_are_asked_in_as_many_as_the_second_takes(pair: Pair) -> None:
    await pair.exchange.fault("*", BROKEN)
    await pair.ask(*(f"X{n}" for n in range(20)))
    sizes = [len(names) for names in pair.second.asked]
    assert (max(sizes), sum(sizes)) == (8, 20)


async def test_with_both_away_the_first_ones_reason_is_reported(
    pair: Pair, deps: QuotesSlice
) -> None:
    pair.second.rows = {"AAPL": a_row(close="260.00")}
    deps.parts.chain = pair.chain
    good = quote_in((await deps.ask("AAPL"))[0])
    assert good["source"] == "sandbox"
    await pair.exchange.fault("*", BROKEN)
    await deps.make_stale("AAPL")
    (outcome,) = await deps.ask("AAPL")
    assert (quote_in(outcome)["source"], staleness(outcome)) == ("twelvedata", (False, None))
    pair.second.rows.clear()
    await deps.make_stale("AAPL")
    assert staleness((await deps.ask("AAPL"))[0]) == (True, "upstream_error")
