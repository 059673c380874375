import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg
import pytest
from prometheus_client import REGISTRY

from infra.postgres.pool import Connection
from infra.postgres.retention import Rule, run, run_retention
from tests.support.postgres import Database
from tests.support.waiting import until
from workers.accounts.sessions import retention as accounts
from workers.relay import retention as relay
from workers.verification import retention as verification

WEEK = timedelta(days=7)
WORKERS = {"qnt9_signup", "qnt9_accounts", "qnt9_verification", "qnt9_watchlist", "qnt9_quotes"}


async def forget(conn: Connection, keep: timedelta, most: int) -> int:
    removed: int = await conn.fetchval(
        """
        WITH old AS (SELECT id FROM things WHERE made < now() - $1::interval LIMIT $2),
            gone AS (DELETE FROM things USING old WHERE things.id = old.id RETURNING 1)
        SELECT count(*) FROM gone
        """,
        keep,
        most,
    )
    return removed


@pytest.fixture
async def things(database: Database) -> Database:
    """25 old ones and one that is young."""
    await database.execute("CREATE TABLE things (id int PRIMARY KEY, made timestamptz NOT NULL)")
    await database.execute(
        "INSERT INTO things SELECT n, now() - interval '8 days' FROM generate_series(1, 25) AS n"
    )
    await database.execute("INSERT INTO things VALUES (26, now() - interval '6 days')")
    return database


async def left(database: Database) -> list[int]:
    return [row["id"] for row in await database.fetch("SELECT id FROM things ORDER BY id")]


def metric(name: str, table: str = "things") -> float:
    return REGISTRY.get_sample_value(f"qnt9_retention_{name}", {"table": table}) or 0.0


@asynccontextmanager
async def house_keeping(database: Database, rules: Sequence[Rule]) -> AsyncIterator[None]:
    task = asyncio.create_task(run_retention(await database.pool(), rules, every=0.01))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_is_old_goes_in_bounded_batches_and_is_counted(things: Database) -> None:
    batches: list[int] = []

    async def counted(conn: Connection, keep: timedelta, most: int) -> int:
        batches.append(await forget(conn, keep, most))
        return batches[-1]

    before = metric("removed_total")
    rule = Rule("things", WEEK, counted)
    assert await run(await things.pool(), rule, at_once=10, pause=0) == 25
    assert batches == [10, 10, 5]
    assert await left(things) == [26]
    assert metric("removed_total") - before == 25
    assert metric("last_run_seconds") > 0


async def test_one_instance_at_a_time_works_on_a_table(things: Database) -> None:
    at_it, go_on = asyncio.Event(), asyncio.Event()

    async def slow(conn: Connection, keep: timedelta, most: int) -> int:
        at_it.set()
        await go_on.wait()
        return await forget(conn, keep, most)

    pool = await things.pool()
    first = asyncio.create_task(run(pool, Rule("things", WEEK, slow)))
    await at_it.wait()
    assert await run(pool, Rule("things", WEEK, forget)) == 0
    assert await run(pool, Rule("other things", WEEK, forget), at_once=5, pause=0) == 25
    go_on.set()
    await first
    assert await left(things) == [26]


async def test_a_rule_that_fails_holds_up_neither_the_others_nor_itself(things: Database) -> None:
    tries: list[int] = []

    async def fails(_: Connection, __: timedelta, most: int) -> int:
        tries.append(most)
        raise asyncpg.LockNotAvailableError

    async def only_one_left() -> bool:
        return await left(things) == [26] and len(tries) > 1

    async with house_keeping(things, [Rule("a", WEEK, fails), Rule("things", WEEK, forget)]):
        await until(only_one_left)


async def test_a_batch_that_is_cut_off_removes_nothing(things: Database) -> None:
    async def hangs(conn: Connection, keep: timedelta, most: int) -> int:
        await forget(conn, keep, most)
        at_it.set()
        await asyncio.Event().wait()
        return 0

    at_it = asyncio.Event()
    async with house_keeping(things, [Rule("things", WEEK, hangs)]):
        await at_it.wait()
    assert len(await left(things)) == 26


RULES = {
    "qnt9_relay": relay.rules(outcomes=5 * WEEK, outbox=WEEK),
    "qnt9_accounts": accounts.rules(WEEK),
    "qnt9_verification": verification.rules(WEEK),
}


@pytest.mark.parametrize("role", RULES)
async def test_no_batch_reads_a_whole_table(database: Database, role: str) -> None:
    pool = await database.pool(role)
    for rule in RULES[role]:
        async with pool.acquire() as conn, conn.transaction():
            assert await rule.delete(conn, rule.keep, 10) == 0
            read = await conn.fetch(
                "SELECT relname, seq_scan, idx_scan FROM pg_stat_xact_user_tables"
                " WHERE seq_scan + coalesce(idx_scan, 0) > 0"
            )
            assert [row["relname"] for row in read if row["seq_scan"]] == []
            assert any(row["relname"].startswith(rule.table) for row in read)


@pytest.mark.parametrize("function", ["forget_handled", "forget_published"])
async def test_the_relay_alone_removes_what_all_have_written(
    database: Database, function: str
) -> None:
    for role in WORKERS | {"qnt9_audit", "qnt9_gateway"}:
        pool = await database.pool(role)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"SELECT {function}(interval '90 days', 10)")
    remover = await database.pool("qnt9_relay")
    assert await remover.fetchval(f"SELECT {function}(interval '90 days', 10)") == 0
