"""Which history the gateway shows, and when it requests one."""

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from contracts.history import CachedHistory, HistoryKey, PriceHistory, PricePoint
from contracts.outcomes import Rejected, Succeeded
from gateway.problems import ProblemError
from gateway.quotes import history as module
from gateway.quotes.history import Histories
from gateway.quotes.history_cache import MAX_HISTORY_BYTES, HistoryCache
from tests.support.gateway.quote_deps import CONTEXT, Worker, ago, ahead, within
from tests.support.waiting import until

KEY = HistoryKey("AAPL", "1mo")


def a_history(symbol: str = "AAPL", close: str = "1.00", **changed: object) -> PriceHistory:
    values: dict[str, object] = {
        "symbol": symbol,
        "name": "Apple Inc.",
        "range": "1mo",
        "interval": "1d",
        "currency": "USD",
        "quoted_unit": "USD",
        "previous_close": None,
        "points": [PricePoint(time=datetime(2026, 11, 2, tzinfo=UTC), close=close)],
        "fetched_at": datetime.now(UTC),
        "delay_minutes": 15,
        "source": "sandbox",
    }
    return PriceHistory.model_validate(values | changed)


@pytest.fixture
def histories(redis: Redis, worker: Worker) -> Histories:
    return Histories(HistoryCache(redis), worker)


async def cache(redis: Redis, fresh_until: datetime, key: HistoryKey = KEY) -> None:
    entry = CachedHistory(history=a_history(key.symbol), fresh_until=fresh_until)
    await redis.set(key.cache_key, entry.model_dump_json())


def says(worker: Worker, history: PriceHistory) -> None:
    found = history.model_dump(mode="json")
    worker.answers[history.symbol] = Succeeded({"history": found})


async def displayed(histories: Histories) -> tuple[str | None, str | None]:
    history = await histories.history(CONTEXT, KEY)
    assert history.stale is (history.stale_reason is not None)
    return history.points[0].close, history.stale_reason


async def problem(histories: Histories) -> str:
    with pytest.raises(ProblemError) as error:
        await histories.history(CONTEXT, KEY)
    return error.value.code


async def test_fresh_history_is_shown_without_a_command(
    histories: Histories, redis: Redis, worker: Worker
) -> None:
    await cache(redis, ahead(seconds=60))
    assert await displayed(histories) == ("1.00", None)
    assert worker.asked == []


async def test_history_past_its_soft_time_is_shown_and_renewed_once(
    histories: Histories, redis: Redis, worker: Worker
) -> None:
    await cache(redis, ago(minutes=4))
    with within(1):
        assert {await displayed(histories) for _ in range(20)} == {("1.00", None)}
    await until(lambda: worker.asked == ["AAPL"])


async def test_newer_history_is_waited_for_past_the_hard_time(
    histories: Histories, redis: Redis, worker: Worker
) -> None:
    await cache(redis, ago(minutes=6))
    says(worker, a_history(close="2.00"))
    assert await displayed(histories) == ("2.00", None)


async def test_old_history_is_marked_when_no_newer_one_comes(
    histories: Histories, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENT_SECONDS", 0.05)
    await cache(redis, ago(minutes=6))
    assert await displayed(histories) == ("1.00", "timeout")


async def test_unknown_symbol_and_failed_provider_are_problems(
    histories: Histories, redis: Redis, worker: Worker
) -> None:
    worker.knows_not("AAPL")
    assert await problem(histories) == "unknown-symbol"
    worker.answers["AAPL"] = Rejected("history-unavailable")
    assert await problem(Histories(HistoryCache(redis), worker)) == "history-unavailable"


async def test_history_is_requested_without_the_cache_server(
    redis_away: Redis, worker: Worker
) -> None:
    says(worker, a_history())
    assert await displayed(Histories(HistoryCache(redis_away), worker)) == ("1.00", None)


@pytest.mark.parametrize("value", ["{}", "no JSON", "x" * (MAX_HISTORY_BYTES + 1)])
async def test_unreadable_cache_entry_is_requested_anew(
    histories: Histories, redis: Redis, worker: Worker, value: str
) -> None:
    await redis.set(KEY.cache_key, value)
    says(worker, a_history(close="3.00"))
    assert await displayed(histories) == ("3.00", None)


async def test_sparklines_are_what_is_known_within_the_wait(
    histories: Histories, redis: Redis, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENT_SECONDS", 0.5)
    keys = [HistoryKey(symbol, "1d", "closes") for symbol in ("AAPL", "MSFT", "SAP.DE")]
    await cache(redis, ahead(seconds=60), keys[0])
    says(worker, a_history("MSFT"))
    found = await histories.sparklines(CONTEXT, keys)
    assert set(found) == {keys[0], keys[1]}
    assert sorted(worker.asked) == ["MSFT", "SAP.DE"]


async def test_sparklines_of_very_many_symbols_request_the_first(
    histories: Histories, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENT_SECONDS", 0.05)
    keys = [HistoryKey(f"X{n:04}.DE", "1d", "closes") for n in range(1, 1_001)]
    with within(2):
        assert await histories.sparklines(CONTEXT, keys) == {}
    assert worker.asked == [key.symbol for key in keys[: module.RENEWED_AT_ONCE]]
