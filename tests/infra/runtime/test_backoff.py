import asyncio

from infra.runtime.backoff import Backoff, wait_for_event


def test_backoff_doubles_up_to_the_longest_wait() -> None:
    backoff = Backoff(0.2, 2.0)
    assert [backoff.fail() for _ in range(6)] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert backoff.failures == 6


def test_backoff_after_success_begins_with_the_shortest_wait() -> None:
    backoff = Backoff(0.2, 2.0)
    backoff.fail()
    backoff.fail()
    assert backoff.succeed() == 2
    assert backoff.fail() == 0.2
    assert backoff.failures == 1


def test_backoff_that_does_not_grow_counts_and_waits_shortest() -> None:
    backoff = Backoff(0.2, 2.0)
    backoff.fail()
    assert backoff.fail(grows=False) == 0.2
    assert backoff.fail() == 0.8


def test_backoff_with_jitter_stays_within_its_share() -> None:
    backoff = Backoff(1.0, 1.0, jitter=0.2)
    waits = {backoff.fail() for _ in range(200)}
    assert all(0.8 <= wait <= 1.2 for wait in waits)
    assert len(waits) > 1


def test_backoff_after_many_failures_stays_at_the_longest_wait() -> None:
    backoff = Backoff(0.2, 5.0)
    assert [backoff.fail() for _ in range(20_000)][-1] == 5.0


async def test_wait_for_event_returns_whether_it_was_set() -> None:
    event = asyncio.Event()
    assert not await wait_for_event(event, 0.01)
    event.set()
    assert await wait_for_event(event, 5)
