"""Prices over a time: the history of a symbol, the sparklines of a watchlist."""

from typing import Any

from contracts.history import HistoryKey, PriceHistory
from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.problems import ProblemError
from gateway.rate_limit.policies import QUOTE
from gateway.v1.history_models import HistoryQuery, SparklineQuery, Sparklines
from gateway.v1.symbols import symbol_asked_for, unknown_symbols


async def show(call: Call, deps: GatewayDeps) -> Answer:
    """Bars, the oldest first, adjusted for splits. A bar whose close is null is a hole.

    While the provider fails, the last history is served, marked as stale, with the reason.
    """
    symbol = await symbol_asked_for(call, deps)
    key = HistoryKey(symbol, call.query(HistoryQuery).range)
    try:
        history = await deps.histories.history(call.context, key)
    except ProblemError as error:
        if error.code == "unknown-symbol":
            raise (await unknown_symbols(call, deps, [symbol]))[symbol] from error
        raise
    return Answer(200, history.as_json)


async def sparklines(call: Call, deps: GatewayDeps) -> Answer:
    """Answers within seconds with what is known. Ask again for what is null."""
    range_ = call.query(SparklineQuery).range
    rows = await queries.watchlist(deps.pool, call.caller.user_id)
    keys = [HistoryKey(row["symbol"], range_, "closes") for row in rows]
    found = await deps.histories.sparklines(call.context, keys)
    items = [{"symbol": key.symbol, "sparkline": _sparkline(found.get(key))} for key in keys]
    interval = HistoryKey("", range_, "closes").interval
    return Answer(200, {"range": range_, "interval": interval, "items": items})


def _sparkline(history: PriceHistory | None) -> dict[str, Any] | None:
    if history is None:
        return None
    return {
        "currency": history.currency,
        "previous_close": history.previous_close,
        "times": [int(point.time.timestamp()) for point in history.points],
        "closes": [point.close for point in history.points],
        "fetched_at": history.fetched_at,
        "source": history.source,
        "stale": history.stale,
        "stale_reason": history.stale_reason,
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/quotes/{symbol}/history",
        show,
        "The prices of a symbol over a time",
        {200: PriceHistory},
        problems=("unknown-symbol", "history-unavailable"),
        access=AccessLevel.VERIFIED,
        limits=QUOTE,
        query=HistoryQuery,
    ),
    Endpoint(
        "GET",
        "/api/v1/sparklines",
        sparklines,
        "The sparklines of the watchlist in one request",
        {200: Sparklines},
        access=AccessLevel.VERIFIED,
        limits=QUOTE,
        query=SparklineQuery,
    ),
)
