from collections.abc import Callable
from dataclasses import dataclass

import pytest

from infra.messaging.failure_guard import (
    MIN_SOURCES_IN_WINDOW,
    MIN_SOURCES_OF_LATEST,
    WINDOW_SECONDS,
    FailureGuard,
    Source,
)


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def source(number: int) -> Source:
    return Source(f"key {number}".encode(), f"user {number}", f"client {number}")


def test_failures_of_many_senders_and_no_other_messages_trip_it() -> None:
    guard = FailureGuard()
    tripped = [guard.fail(source(number)) for number in range(MIN_SOURCES_OF_LATEST)]
    assert tripped == [False] * (MIN_SOURCES_OF_LATEST - 1) + [True]


@pytest.mark.parametrize(
    "of_one",
    [
        lambda n: Source(b"one key", f"user {n}", f"client {n}"),
        lambda n: Source(f"key {n}".encode(), "one user", f"client {n}"),
        lambda n: Source(f"key {n}".encode(), f"user {n}", "one client"),
        lambda n: Source(f"key {n}".encode(), None, "one client"),
        lambda _: Source(None),
    ],
    ids=["key", "user", "client", "client without a user", "no key"],
)
def test_no_one_trips_it_alone(of_one: Callable[[int], Source]) -> None:
    guard = FailureGuard()
    assert not any(guard.fail(of_one(number)) for number in range(1_000))


def test_failures_of_less_than_half_of_the_latest_messages_do_not_trip_it() -> None:
    guard = FailureGuard()
    for number in range(MIN_SOURCES_IN_WINDOW - 1):
        guard.succeed(2)
        assert not guard.fail(source(number))


def fail_now_and_then(guard: FailureGuard, senders: int, handled_between: int) -> bool:
    for number in range(senders):
        guard.succeed(handled_between)
        guard.fail(source(number))
    return guard.tripped


def test_more_than_one_in_a_hundred_of_many_senders_trips_it() -> None:
    assert fail_now_and_then(FailureGuard(), MIN_SOURCES_IN_WINDOW, handled_between=50)


def test_fewer_than_one_in_a_hundred_does_not() -> None:
    assert not fail_now_and_then(FailureGuard(), MIN_SOURCES_IN_WINDOW, handled_between=200)


def test_what_is_long_ago_does_not_count() -> None:
    clock = Clock()
    guard = FailureGuard(clock)
    for number in range(10 * MIN_SOURCES_IN_WINDOW):
        clock.seconds += WINDOW_SECONDS / (MIN_SOURCES_IN_WINDOW - 2)
        guard.succeed(2)
        assert not guard.fail(source(number))


def test_reset_begins_anew() -> None:
    guard = FailureGuard()
    for number in range(MIN_SOURCES_OF_LATEST):
        guard.fail(source(number))
    guard.reset()
    assert not guard.tripped
    assert not guard.fail(source(0))
