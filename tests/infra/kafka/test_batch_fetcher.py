"""How much is fetched at once, and who waits for whom."""

from typing import Any

import pytest
from aiokafka.errors import ConsumerStoppedError, TopicAuthorizationFailedError

from infra.kafka import batch_fetcher
from infra.kafka.batch_fetcher import FEW, BatchFetcher, Fetched

MOST = 10


class Broker:
    """Answers each fetch with what a script says, and records what was asked."""

    def __init__(self, *answers: Fetched | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Fetched:
        self.asked.append((timeout_ms, max_records))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def touched() -> list[None]:
    return []


@pytest.fixture
def gathers(touched: list[None]) -> BatchFetcher:
    return BatchFetcher(lambda: touched.append(None))


async def fetch(gathers: BatchFetcher, *answers: Fetched | Exception) -> tuple[Fetched, Broker]:
    broker = Broker(*answers)
    return await gathers.fetch(broker.getmany, timeout_ms=100, max_records=MOST), broker


def some(count: int, partition: str = "a") -> dict[Any, list[Any]]:
    return {partition: list(range(count))}


async def test_it_waits_for_the_first_record_and_shows_that_it_is_alive(
    gathers: BatchFetcher, touched: list[None]
) -> None:
    fetched, broker = await fetch(gathers, {}, {}, some(1))
    assert fetched == some(1)
    assert len(broker.asked) == len(touched) == 3


async def test_a_single_record_waits_for_no_one(gathers: BatchFetcher) -> None:
    for _ in range(3):
        _, broker = await fetch(gathers, some(FEW))
        assert broker.asked == [(100, MOST)]


async def test_under_load_what_follows_comes_along_in_order(gathers: BatchFetcher) -> None:
    await fetch(gathers, some(FEW + 1))
    fetched, broker = await fetch(gathers, {"a": [1], "b": [2]}, {"b": [3], "c": [4]})
    assert fetched == {"a": [1], "b": [2, 3], "c": [4]}
    assert broker.asked == [(100, MOST), (0, MOST - 2)]


async def test_a_full_batch_waits_for_no_one(gathers: BatchFetcher) -> None:
    await fetch(gathers, some(MOST))
    _, broker = await fetch(gathers, some(MOST))
    assert len(broker.asked) == 1


async def test_when_the_load_is_over_no_one_waits_any_longer(
    gathers: BatchFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_fetcher, "GATHER_SECONDS", 0)
    await fetch(gathers, some(FEW + 1))
    await fetch(gathers, some(1), {})
    _, broker = await fetch(gathers, some(1))
    assert len(broker.asked) == 1


async def test_an_error_in_what_follows_takes_nothing_of_what_is_in_hand(
    gathers: BatchFetcher,
) -> None:
    """Those records have been given out: nobody fetches them again."""
    await fetch(gathers, some(FEW + 1))
    fetched, broker = await fetch(gathers, some(3), TopicAuthorizationFailedError("b"))
    assert fetched == some(3)
    assert len(broker.asked) == 2
    with pytest.raises(TopicAuthorizationFailedError):
        await fetch(gathers, TopicAuthorizationFailedError("b"))


async def test_a_consumer_that_was_stopped_hands_out_nothing(gathers: BatchFetcher) -> None:
    await fetch(gathers, some(FEW + 1))
    with pytest.raises(ConsumerStoppedError):
        await fetch(gathers, some(3), ConsumerStoppedError())
