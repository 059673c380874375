import asyncio

from contracts.events import WatchlistItemRemoved
from contracts.ids import uuid7
from operations.replay.executor import Pace, copy_of
from tests.support.message_builders import a_record


def test_a_copy_is_the_record_with_where_it_was() -> None:
    record = a_record(WatchlistItemRemoved(user_id=uuid7(), symbol="AAPL"))
    run = uuid7()
    copy = copy_of(record, run, keep_partition=True)
    assert (copy.key, copy.value) == (record.key, record.value)
    assert (copy.timestamp_ms, copy.partition) == (record.timestamp, record.partition)
    origin = [
        ("qnt9_replay_topic", b"watchlists.events"),
        ("qnt9_replay_partition", b"0"),
        ("qnt9_replay_offset", str(record.offset).encode()),
        ("qnt9_replay_run", str(run).encode()),
    ]
    assert [*copy.headers] == [*record.headers, *origin]
    assert copy_of(record, run, keep_partition=False).partition is None


def test_a_copy_of_a_copy_says_where_the_copy_was() -> None:
    record = a_record(WatchlistItemRemoved(user_id=uuid7(), symbol="AAPL"))
    record.headers = copy_of(record, uuid7(), keep_partition=True).headers
    names = [name for name, _ in copy_of(record, uuid7(), keep_partition=True).headers]
    assert len(names) == len(set(names))


async def test_a_pace_is_kept_over_batches() -> None:
    loop, pace = asyncio.get_running_loop(), Pace(100)
    began = loop.time()
    for _ in range(3):
        await pace.wait_for(10)
    assert loop.time() - began >= 0.2
