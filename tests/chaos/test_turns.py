"""The measure of turns: what it counts as waiting, and what not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.ids import uuid7
from tests.support.chaos.waiting_times import Sent, waits
from tests.support.e2e.records import Raw

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def sent(offset: int, seconds: float, partition: int = 0) -> Sent:
    record = Raw(uuid7(), b"a key", b"{}", [])
    return Sent(record, partition, offset, int(at(seconds).timestamp() * 1_000))


def waited(records: list[Sent], handled: list[float], *away: tuple[float, float]) -> list[float]:
    times: dict[object, datetime] = {
        each.record.id: at(seconds) for each, seconds in zip(records, handled, strict=True)
    }
    dead = [(at(began), at(ended)) for began, ended in away]
    found = waits(records, times, dead)
    return [round(found[each.record.id], 3) for each in records]


def test_record_waits_from_the_moment_it_was_sent() -> None:
    assert waited([sent(0, 0)], [7]) == [7]
    assert isinstance(sent(0, 0).record.id, UUID)


def test_record_behind_another_waits_from_when_that_was_handled() -> None:
    assert waited([sent(0, 0), sent(1, 0), sent(5, 3)], [2, 9, 10]) == [2, 7, 1]


def test_record_of_another_partition_is_behind_no_one() -> None:
    assert waited([sent(0, 0), sent(0, 0, partition=1)], [2, 9]) == [2, 9]


def test_records_of_one_transaction_are_handled_at_once() -> None:
    assert waited([sent(0, 0), sent(1, 0)], [4, 4]) == [4, 0]


def test_time_in_which_the_consumer_was_dead_is_no_waiting() -> None:
    assert waited([sent(0, 5)], [31], (0, 30)) == [1]
    assert waited([sent(0, 0)], [31], (2, 30)) == [1]
    assert waited([sent(0, 0)], [1], (2, 30)) == [1]
    assert waited([sent(0, 40)], [48], (2, 30)) == [8]
