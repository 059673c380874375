"""Yahoo's keyless protocol over HTTP; the sandbox exchange speaks it too.

Unofficial and for personal use: it may change or vanish, and every quote says where it is from.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote as quoted

import httpx

from contracts.history import HistoryKey
from infra.runtime.clock import CLOCK
from workers.quotes.chart import read_chart, read_search, read_spark, read_splits
from workers.quotes.history_chart import read_history, read_sparklines
from workers.quotes.http_client import Timeouts, get, open_http
from workers.quotes.provider import Answer, HistoryAnswer
from workers.quotes.rules import Hit

DAY = {"range": "1d", "interval": "1d"}
LATELY = {"range": "1mo", "interval": "1d", "events": "split"}
HITS = "10"
SPARK = "/v7/finance/spark"


@dataclass(frozen=True)
class Yahoo:
    """One call an answer: no retries, no memory. `name` is what quotes call their source."""

    http: httpx.AsyncClient
    name: str
    most: int = 20
    most_sparklines: int = 20

    async def quotes(self, symbols: Sequence[str]) -> dict[str, Answer]:
        """One by chart, several by spark; of spark's two versions the one with currencies."""
        if len(symbols) == 1:
            reply = await get(self.http, _chart(symbols[0]), DAY)
            now = CLOCK.now()
            return {symbols[0]: read_chart(reply, symbols[0], source=self.name, now=now)}
        query = {"symbols": ",".join(symbols), **DAY}
        reply = await get(self.http, SPARK, query)
        return read_spark(reply, symbols, source=self.name, now=CLOCK.now())

    async def histories(self, keys: Sequence[HistoryKey]) -> dict[str, HistoryAnswer]:
        """One by chart, which has everything; several, as sparklines, by spark."""
        query: dict[str, str] = {"range": keys[0].range, "interval": keys[0].interval}
        if len(keys) == 1:
            query |= {"events": "split"}
            reply = await get(self.http, _chart(keys[0].symbol), query)
            answer = read_history(reply, keys[0], source=self.name, now=CLOCK.now())
            return {keys[0].symbol: answer}
        wanted = {key.symbol: key for key in keys}
        reply = await get(self.http, SPARK, {"symbols": ",".join(wanted), **query})
        return read_sparklines(reply, wanted, source=self.name, now=CLOCK.now())

    async def splits(self, symbol: str) -> Sequence[Decimal]:
        return read_splits(await get(self.http, _chart(symbol), LATELY), CLOCK.now())

    async def search(self, text: str) -> Sequence[Hit]:
        query = {"q": text, "quotesCount": HITS, "newsCount": "0"}
        return read_search(await get(self.http, "/v1/finance/search", query), CLOCK.now())


def _chart(symbol: str) -> str:
    return f"/v8/finance/chart/{quoted(symbol, safe='')}"


@asynccontextmanager
async def open_yahoo(
    url: str, *, name: str, timeouts: Timeouts | None = None
) -> AsyncIterator[Yahoo]:
    """Open the provider, and close its connections on leaving the block."""
    outside = name != "sandbox"
    async with open_http(url, timeouts or Timeouts(), headers={}, trust_env=outside) as http:
        yield Yahoo(http, name)
