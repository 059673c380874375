from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from contracts.commands import AddToWatchlist
from contracts.topics import MIB, WATCHLIST, WATCHLIST_COMMANDS
from infra.kafka.dead_letters import DeadLetters, Failure, FloodGuard
from infra.kafka.producer import IndeterminateError, Producer
from infra.received import RetryableError
from tests.builders import MemoryProducer, a_record

NUMBER = AddToWatchlist(symbol="AAPL")


def dead_letters(producer: Producer) -> DeadLetters:
    return DeadLetters(producer, WATCHLIST, (WATCHLIST_COMMANDS,))


async def test_a_dead_letter_is_the_record_with_its_story() -> None:
    producer = MemoryProducer()
    record = a_record(NUMBER)
    record.headers = [*record.headers, ("odd", None), ("binary", b"\xff")]
    began = datetime.now(UTC) - timedelta(seconds=5)
    await dead_letters(producer).write(record, Failure("it broke", "handler", 3, began))
    [letter] = producer.published
    assert letter.topic == "watchlist.commands.watchlist.dlq"
    assert (letter.key, letter.value) == (record.key, record.value)
    assert letter.headers.items() >= dict(record.headers).items()
    assert letter.headers["qnt9_dlq_reason"] == b"it broke"
    assert letter.headers["qnt9_dlq_attempts"] == b"3"
    assert letter.headers["qnt9_dlq_topic"] == b"watchlist.commands"
    assert letter.headers["qnt9_dlq_offset"] == str(record.offset).encode()
    assert letter.headers["qnt9_dlq_first_failure"] == began.isoformat().encode()


async def test_from_the_redrive_topic_it_comes_to_the_same_place_with_one_story() -> None:
    producer = MemoryProducer()
    record = a_record(NUMBER, topic=WATCHLIST_COMMANDS.redrive(WATCHLIST))
    record.headers = [*record.headers, ("qnt9_dlq_reason", b"an older one")]
    await dead_letters(producer).write(record, Failure("a newer one", "handler"))
    [letter] = producer.published
    assert letter.topic == "watchlist.commands.watchlist.dlq"
    assert letter.headers["qnt9_dlq_reason"] == b"a newer one"


async def test_without_an_acknowledgement_the_record_is_tried_again() -> None:
    with pytest.raises(RetryableError):
        await dead_letters(MemoryProducer(IndeterminateError())).write(
            a_record(NUMBER), Failure("it broke", "handler")
        )


async def test_what_was_too_big_once_uncompressed_is_cut_and_says_so() -> None:
    producer = MemoryProducer(MessageSizeTooLargeError())
    record = a_record(NUMBER)
    record.value = b"x" * (6 * MIB)
    await dead_letters(producer).write(record, Failure("too big", "unreadable"))
    [letter] = producer.published
    assert letter.value == b"x" * MIB
    assert letter.headers["qnt9_dlq_cut_from_bytes"] == str(6 * MIB).encode()


def test_a_hundred_in_a_row_are_a_flood() -> None:
    guard = FloodGuard()
    for _ in range(99):
        guard.record(dead=True)
    assert not guard.flooded
    guard.record(dead=True)
    assert guard.flooded


def test_a_good_record_ends_a_row() -> None:
    guard = FloodGuard()
    for _ in range(99):
        guard.record(dead=True)
    guard.record(dead=False)
    guard.record(dead=True)
    assert not guard.flooded


def test_more_than_one_in_a_hundred_is_a_flood_and_is_forgotten_in_time() -> None:
    guard = FloodGuard()
    for n in range(10_000):
        guard.record(dead=n % 99 == 0)
    assert guard.flooded
    for _ in range(10_000):
        guard.record(dead=False)
    assert not guard.flooded


def test_one_in_a_thousand_is_none() -> None:
    guard = FloodGuard()
    for n in range(20_000):
        guard.record(dead=n % 1_000 == 0)
    assert not guard.flooded
