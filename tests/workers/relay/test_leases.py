"""Who owns a shard: no other role may take one, and no process keeps one that it does not serve."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from infra.kafka.producer import Outgoing
from infra.postgres.pool import Connection
from tests.support.postgres import ROLES, Database
from tests.support.waiting import until
from tests.support.workers.relay_slice import MemoryKafka, Outbox, StartRelay
from workers.relay import leases, store
from workers.relay.leases import Lease, LeaseLostError
from workers.relay.rules import SHARDS, View

OTHERS = [role for role in ROLES if role not in {"qnt9_relay", "qnt9_owner"}]
ATTACKS = (
    "UPDATE relay_shards SET relay = NULL",
    "UPDATE relays SET expires_at = 'infinity'",
    "INSERT INTO relays VALUES (gen_random_uuid(), pg_backend_pid(), now(), 'infinity')",
    "DELETE FROM relays",
    "LOCK TABLE relay_shards IN ACCESS SHARE MODE",
    "LOCK TABLE relays IN ROW EXCLUSIVE MODE",
    "SELECT FROM relay_shards FOR UPDATE",
    "SELECT FROM outbox FOR UPDATE",
)


@asynccontextmanager
async def connected(database: Database, role: str) -> AsyncIterator[Connection]:
    conn = await asyncpg.connect(database.dsn(role))
    try:
        yield conn
    finally:
        conn.terminate()


@pytest.mark.parametrize("role", OTHERS)
async def test_other_role_can_neither_take_a_shard_nor_hold_one_up(
    database: Database, role: str
) -> None:
    async with connected(database, role) as conn:
        for attack in ATTACKS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with conn.transaction():
                    await conn.execute(attack)


async def test_advisory_locks_of_another_role_hold_up_no_event(
    database: Database, outbox: Outbox, start_relay: StartRelay
) -> None:
    async with connected(database, "qnt9_gateway") as conn:
        for number in (*SHARDS, 1_000):
            await conn.execute("SELECT pg_advisory_lock(1364116563, $1)", number)
        await outbox.write("anna", "1")
        await start_relay()
        await until(outbox.is_empty)


async def test_relay_that_stands_still_is_named_and_loses_its_shards_when_its_lease_is_over(
    database: Database,
    outbox: Outbox,
    start_relay: StartRelay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.relay.rules.LAG_SECONDS", 0.2)
    async with connected(database, "qnt9_relay") as conn:
        frozen = Lease(conn, seconds=6)
        await frozen.begin()
        for shard in SHARDS:
            assert await store.take_shard(conn, frozen.relay, shard)
        await outbox.write("anna", "1")
        relay = await start_relay()
        await until(lambda: "the oldest unpublished event" in (relay.problem or ""))
        assert not relay.owned
        await until(outbox.is_empty, seconds=20)
        await until(lambda: relay.owned == set(SHARDS))
        await until(lambda: relay.problem is None)
        with pytest.raises(LeaseLostError):
            await frozen.keep()
        assert not frozen.is_held


async def test_relay_that_died_loses_its_shards_at_once(
    database: Database, start_relay: StartRelay
) -> None:
    async with connected(database, "qnt9_relay") as conn:
        dead = Lease(conn, seconds=3_600)
        await dead.begin()
        for shard in SHARDS:
            assert await store.take_shard(conn, dead.relay, shard)
    relay = await start_relay()
    await until(lambda: relay.owned == set(SHARDS))


async def test_lease_that_is_over_takes_no_shard_and_cannot_be_renewed(database: Database) -> None:
    async with connected(database, "qnt9_relay") as conn:
        relay = uuid4()
        await store.register(conn, relay, 0.0)
        assert not await store.take_shard(conn, relay, 0)
        assert not await store.renew(conn, relay, 10)
        assert await store.shard_owners(conn) == dict.fromkeys(SHARDS)


async def test_woken_relay_begins_no_further_batch_and_disorders_nothing(
    database: Database,
    outbox: Outbox,
    kafka: MemoryKafka,
    start_relay: StartRelay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after SIGSTOP: its lease is not renewed, and what it had in hand goes on later."""
    asleep = asyncio.Event()
    keep = Lease.keep

    async def keep_unless_asleep(lease: Lease) -> None:
        keeping = asyncio.ensure_future(keep(lease))
        await asyncio.wait({keeping, waking := asyncio.ensure_future(asleep.wait())},
                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        waking.cancel()
        keeping.cancel()

    log: list[str] = []

    def note(_: str, records: Sequence[Outgoing]) -> None:
        log.extend(record.value.decode() for record in records)

    sleeper = MemoryKafka()
    sleeper.fault = kafka.fault = note
    sleeper.open.clear()
    monkeypatch.setattr(Lease, "keep", keep_unless_asleep)
    first = await start_relay(kafka=sleeper)
    await until(lambda: first.owned == set(SHARDS))
    payloads = [f"{n:03}" for n in range(120)]
    await outbox.write("anna", *payloads)
    await sleeper.asked.wait()
    asleep.set()
    monkeypatch.setattr(Lease, "keep", keep)
    second = await start_relay()
    await until(lambda: second.owned == set(SHARDS), seconds=20)
    await outbox.write("anna", "120", "121")
    await until(outbox.is_empty)
    sleeper.open.set()
    await until(lambda: len(first.owned) == len(second.owned) == len(SHARDS) / 2, seconds=20)
    assert list(dict.fromkeys(log)) == [*payloads, "120", "121"]
    assert len(log) == 122 + 50  # the batch that was on its way, and none after it


async def test_holder_takes_its_lease_for_over_before_the_database_does(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    now = 0.0
    async with connected(database, "qnt9_relay") as conn:
        lease = Lease(conn, seconds=8, clock=lambda: now)
        assert not lease.is_held
        await lease.begin()
        now = 6.9
        assert lease.is_held
        now = 7.0
        assert not lease.is_held
        keeping = asyncio.create_task(lease.keep())
        await until(lambda: lease.is_held)
        keeping.cancel()


def test_shard_without_an_owner_is_a_problem_after_a_while() -> None:
    view = View()
    view.look({3}, 0.0, now=0.0)
    view.look({3, 5}, 0.0, now=4.0)
    assert view.problem(4.9) is None
    assert view.problem(5.1) == "no relay owns the shards 3, 5"
    view.look({5}, 0.0, now=5.2)
    assert view.problem(5.3)
    view.look({}, 0.0, now=5.4)
    assert view.problem(100.0) is None


def test_lag_grows_between_looks_and_is_a_problem_when_it_is_long() -> None:
    view = View()
    view.look({}, 4.0, now=0.0)
    assert view.problem(1.0) is None
    assert view.details(1.0) == {"lag_seconds": 5.0, "unowned_shards": []}
    assert view.problem(6.5) == "the oldest unpublished event waits for 10 s"
