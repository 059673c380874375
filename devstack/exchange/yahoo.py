"""The three endpoints: what is asked, and what a healthy exchange answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from starlette.requests import Request

from devstack.exchange.clock import Clock
from devstack.exchange.faults import ContentFault, Endpoint
from devstack.exchange.history import INTERVALS, RANGES, is_refused
from devstack.exchange.listings import Listing, Listings
from devstack.exchange.responses import Answer, failed, found, not_found
from devstack.exchange.series import corrupted, series

MAX_SYMBOLS: Final = 20

Content = dict[str, ContentFault]


class Question(Protocol):
    """One endpoint; its name is also what its errors are filed under, but for search."""

    @property
    def endpoint(self) -> Endpoint: ...

    def symbols(self, request: Request, /) -> Sequence[str]: ...

    def answer(self, request: Request, content: Content, /) -> Answer: ...


@dataclass(frozen=True)
class Chart:
    listings: Listings
    clock: Clock
    endpoint: Endpoint = "chart"

    def symbols(self, request: Request) -> Sequence[str]:
        return [str(request.path_params["symbol"]).upper()]

    def answer(self, request: Request, content: Content) -> Answer:
        range_, interval = _range_and_interval(request)
        if (refusal := _refused("chart", range_, interval)) is not None:
            return refusal
        (symbol,) = self.symbols(request)
        listing = self.listings.find(symbol)
        if listing is None:
            return not_found()
        asked = series(listing, self.clock.now(), range_, interval)
        with_splits = "split" in request.query_params.get("events", "")
        result = corrupted(asked, content.get(symbol)).as_chart(with_splits=with_splits)
        return found({"chart": {"result": [result], "error": None}})


@dataclass(frozen=True)
class Spark:
    listings: Listings
    clock: Clock
    version: Literal["v7", "v8"]
    endpoint: Endpoint = "spark"

    def symbols(self, request: Request) -> Sequence[str]:
        asked = request.query_params.get("symbols", "").split(",")
        return [symbol.strip().upper() for symbol in asked if symbol.strip()]

    def answer(self, request: Request, content: Content) -> Answer:
        symbols = self.symbols(request)
        if not symbols:
            return failed("spark", 400, "Missing required query parameter=symbols")
        if len(symbols) > MAX_SYMBOLS:
            return failed("spark", 400, f"Number of symbols must not exceed {MAX_SYMBOLS}")
        range_, interval = _range_and_interval(request)
        if (refusal := _refused("spark", range_, interval)) is not None:
            return refusal
        now = self.clock.now()
        known = {symbol: self.listings.find(symbol) for symbol in symbols}
        results = {
            symbol: corrupted(series(listing, now, range_, interval), content.get(symbol))
            for symbol, listing in known.items()
            if listing is not None
        }
        if self.version == "v8":
            return found({symbol: result.as_spark_v8() for symbol, result in results.items()})
        rows = [result.as_spark_v7() for result in results.values()]
        return found({"spark": {"result": rows, "error": None}})


@dataclass(frozen=True)
class Search:
    listings: Listings
    endpoint: Endpoint = "search"

    def symbols(self, _request: Request) -> Sequence[str]:
        return []

    def answer(self, request: Request, _content: Content) -> Answer:
        query = request.query_params.get("q", "").strip()
        if not query:
            return failed("finance", 400, "Missing required query parameter=q")
        hits = self.listings.search(query, _count(request))
        rows = [_row(listing, score) for listing, score in hits]
        rows += [{"name": name, "isYahooFinance": False} for name in self.listings.unlisted(query)]
        nothing: dict[str, list[object]] = {"news": [], "nav": [], "lists": []}
        return found({"explains": [], "count": len(rows), "quotes": rows, **nothing})


def _row(listing: Listing, score: float) -> dict[str, object]:
    kinds = {
        "EQUITY": "Equity",
        "ETF": "ETF",
        "CRYPTOCURRENCY": "Cryptocurrency",
        "FUTURE": "Futures",
    }
    return {
        "exchange": listing.market.code,
        "shortname": listing.name[:31],
        "quoteType": listing.kind,
        "symbol": listing.symbol,
        "index": "quotes",
        "score": score,
        "typeDisp": kinds[listing.kind],
        "longname": listing.name,
        "exchDisp": listing.market.display,
        "isYahooFinance": True,
        "source": "sandbox",
    }


def _range_and_interval(request: Request) -> tuple[str, str]:
    return request.query_params.get("range", "1d"), request.query_params.get("interval", "1d")


def _refused(family: str, range_: str, interval: str) -> Answer | None:
    for name, value, valid in (
        ("range", range_, list(RANGES)),
        ("interval", interval, list(INTERVALS)),
    ):
        if value not in valid:
            text = f"Invalid input - {name}={value} is not supported. Valid values: {valid}"
            return failed(family, 422, text)
    if is_refused(range_, interval):
        text = f"{interval} data not available for range={range_}: it is too long"
        return failed(family, 422, text)
    return None


def _count(request: Request) -> int:
    try:
        return min(max(int(request.query_params.get("quotesCount", "6")), 0), 50)
    except ValueError:
        return 6
