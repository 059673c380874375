import asyncio
from collections.abc import Sequence
from functools import partial

import asyncpg
import pytest
from pydantic import SecretStr

from contracts.topics import MAX_RECORD_BYTES
from infra.kafka.producer import IndeterminateError, Outgoing, RefusedError
from infra.postgres.pool import Connection, open_session
from infra.runtime.settings import PostgresSettings
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.workers.relay_slice import MemoryKafka, Outbox, StartRelay
from workers.relay import relay as loop
from workers.relay import store
from workers.relay.relay import Relay
from workers.relay.rules import SHARDS


async def test_events_are_published_as_they_were_written_and_marked(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay, database: Database
) -> None:
    await outbox.write("anna", '{"note": "ä"}')
    await start_relay()
    await until(outbox.is_empty)
    [record] = kafka.topics["watchlists.events"]
    assert record.key == b"anna"
    assert record.value == '{"note": "ä"}'.encode()
    assert record.headers == [("ce_type", b"qnt9.watchlist.item_added.v1")]


async def test_order_is_kept_for_each_aggregate_over_many_turns(
    outbox: Outbox,
    kafka: MemoryKafka,
    start_relay: StartRelay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "ROWS_A_TURN", 7)
    for n in range(30):
        for key in ("anna", "bert", "cora"):
            await outbox.write(key, f"{key} {n}")
    await start_relay()
    await until(outbox.is_empty)
    for key in ("anna", "bert", "cora"):
        assert kafka.values_of(key) == [f"{key} {n}" for n in range(30)]


async def test_a_notification_wakes_it_long_before_the_clock(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    relay = await start_relay(poll=60)
    await until(lambda: len(relay.owned) == len(SHARDS))
    await outbox.write("anna", "1")
    await until(outbox.is_empty, seconds=5)


async def test_a_row_that_was_committed_late_is_published_too(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay, database: Database
) -> None:
    pool = await database.pool()
    await start_relay()
    async with pool.acquire() as conn, conn.transaction():
        await outbox.write_in(conn, "anna", "drawn first, committed last")
        await outbox.write("bert", "drawn last, committed first")
        await until(lambda: kafka.values() == ["drawn last, committed first"])
    await until(lambda: kafka.values()[-1] == "drawn first, committed last")


async def test_what_kafka_did_not_acknowledge_is_sent_again(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    def away(*_: object) -> None:
        raise IndeterminateError("not acknowledged in time")

    kafka.fault = away
    await outbox.write("anna", "1", "2")
    relay = await start_relay()
    await until(lambda: relay.problem is not None and "Kafka" in relay.problem)
    assert await outbox.unpublished() == ["1", "2"]
    assert relay.alive
    kafka.fault = lambda *_: None
    await until(outbox.is_empty)
    assert kafka.values() == ["1", "2"]
    await until(lambda: relay.problem is None)


async def test_a_failure_in_the_middle_holds_back_what_is_later(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    failures = iter([False, True])

    def second_batch_fails(*_: object) -> None:
        if next(failures, False):
            raise IndeterminateError("not acknowledged in time")

    kafka.fault = second_batch_fails
    payloads = [str(n) for n in range(200)]
    await outbox.write("anna", *payloads)
    await start_relay()
    await until(outbox.is_empty)
    assert kafka.values() == payloads


async def test_a_refused_topic_holds_back_its_own_keys_alone(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    def no_such_topic(topic: str, _: Sequence[Outgoing]) -> None:
        if topic == "strange.events":
            raise RefusedError("no such topic")

    kafka.fault = no_such_topic
    await outbox.write("x", "1", topic="strange")
    relay = await start_relay()
    await until(lambda: "refuses" in (relay.problem or ""))
    await outbox.write("anna", "2")
    await until(lambda: outbox.holds("1"))
    assert kafka.values() == ["2"]


async def test_an_event_too_big_for_the_topic_holds_back_its_key_alone(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    too_big = "x" * MAX_RECORD_BYTES
    await outbox.write("anna", "1", too_big, "3")
    await outbox.write("bert", "4")
    await start_relay()
    await until(lambda: outbox.holds(too_big, "3"))
    assert sorted(kafka.values()) == ["1", "4"]


async def test_relays_share_the_shards_and_take_over_from_each_other(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    first = await start_relay()
    await until(lambda: first.owned == set(SHARDS))
    second = await start_relay()
    await until(lambda: len(first.owned) == len(second.owned) == 4)
    assert not first.owned & second.owned
    for n in range(40):
        await outbox.write(f"key {n % 10}", str(n))
    await first.stop()
    await until(lambda: second.owned == set(SHARDS))
    await until(outbox.is_empty)
    assert sorted(map(int, kafka.values())) == list(range(40))


async def test_it_comes_back_whenever_its_session_is_ended(
    outbox: Outbox, start_relay: StartRelay, database: Database
) -> None:
    relay = await start_relay()
    for n in range(10):
        await until(lambda: len(relay.owned) == len(SHARDS))
        await database.end_connections("qnt9_relay")
        await outbox.write("anna", str(n))
        await until(outbox.is_empty)
        await until(lambda: relay.problem is None)


async def test_it_starts_before_postgres_and_says_so(kafka: MemoryKafka) -> None:
    nowhere = PostgresSettings(postgres_dsn=SecretStr("postgresql://x:y@127.0.0.1:1/z"))
    relay = Relay(partial(open_session, nowhere, instance="relay"), kafka)
    assert relay.problem
    task = asyncio.create_task(relay.run())
    await until(lambda: "Postgres" in (relay.problem or "") and "tried" in relay.problem)
    assert relay.alive
    await relay.stop()
    await task


async def test_stopping_finishes_and_marks_the_turn_in_hand(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay
) -> None:
    kafka.open.clear()
    await outbox.write("anna", "1")
    relay = await start_relay()
    await kafka.asked.wait()
    stopping = asyncio.create_task(relay.stop())
    await outbox.write("bert", "2")
    kafka.open.set()
    await stopping
    assert kafka.values() == ["1"]
    assert await outbox.unpublished() == ["2"]


async def test_a_row_in_the_default_partition_stops_nothing(
    outbox: Outbox, kafka: MemoryKafka, start_relay: StartRelay, database: Database
) -> None:
    await database.execute(
        """
        DO $$ BEGIN
            EXECUTE (SELECT 'DROP TABLE ' || string_agg(inhrelid::regclass::text, ', ')
                       FROM pg_inherits
                      WHERE inhparent = 'outbox'::regclass
                        AND inhrelid <> 'outbox_other'::regclass);
        END $$
        """
    )
    await outbox.write("anna", "1")
    await start_relay()
    await until(outbox.is_empty)
    [today] = await database.fetch("SELECT count(*) AS n FROM outbox_other")
    assert today["n"] == 1


async def sessions(database: Database) -> list[int]:
    rows = await database.fetch(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = 'qnt9_relay'"
    )
    return [row["pid"] for row in rows]


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (asyncpg.LockNotAvailableError("somebody reads the outbox"), True),
        (TimeoutError(), True),
        (asyncpg.ConnectionDoesNotExistError("the server is gone"), False),
    ],
)
async def test_partitions_that_were_not_made_are_tried_again_soon_and_in_the_same_session(
    start_relay: StartRelay,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kept: bool,
) -> None:
    tried_in: list[list[int]] = []

    async def fail_once(_: Connection) -> None:
        tried_in.append(await sessions(database))
        if len(tried_in) == 1:
            raise error

    monkeypatch.setattr(loop, "PARTITIONS_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(store, "ensure_partitions", fail_once)
    relay = await start_relay()
    await until(lambda: len(tried_in) == 2)
    await until(lambda: relay.owned == set(SHARDS))
    assert (tried_in[0] == tried_in[1]) == kept
