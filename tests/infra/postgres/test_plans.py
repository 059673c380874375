"""Every statement of the product is executed by index, whatever the statistics say."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from infra.postgres.pool import session_settings
from operations.audit import refilled
from operations.recovery import loss_store
from tests.support.infra.plan_rules import (
    OPTIONAL_FILTERS,
    SMALL_TABLES,
    WHOLE_READS,
    is_whole_read,
    nodes,
    whole_reads,
)
from tests.support.infra.sql_statements import (
    ADMINISTRATION,
    FOLDERS,
    Statement,
    UnknownStatementError,
    all_statements,
    statements_of,
    uncollected_queries,
)
from tests.support.infra.table_sizes import LARGE, SIZES, SMALL, Size, resize, set_share_of_nulls
from tests.support.postgres import Database, Server, copy_of
from tests.support.stack import ROOT

STATEMENTS = all_statements()
CUSTOM_PLANS = 5
"""PostgreSQL makes so many plans for the values at hand before it considers one for all values."""
QUERIES_OF_OTHERS = {
    "infra/postgres/reads.py": ["fetch: query", "fetchrow: query", "fetchval: query"],
    "infra/postgres/retention.py": ["delete: statement"],
}
"""Queries that are neither literals nor constants, and are collected where they are written."""


@pytest.fixture(scope="module")
async def sized(local_template: tuple[Server, str]) -> AsyncIterator[dict[Size, str]]:
    """A database of each size; the dsn of its superuser. Nothing is executed there."""
    server, template = local_template
    async with AsyncExitStack() as resources:
        databases = {}
        for size in SIZES:
            database = await resources.enter_async_context(copy_of(server, template))
            databases[size] = database.superuser_dsn()
            async with planner(databases[size]) as conn:
                await resize(conn, size)
        yield databases


@asynccontextmanager
async def planner(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A session that plans as those of the product do."""
    conn = await asyncpg.connect(
        dsn, statement_cache_size=0, server_settings=session_settings("test")
    )
    try:
        await loss_store.prepare(conn)
        await refilled.prepare(conn)
        yield conn
    finally:
        await conn.close()


async def plan_of(
    conn: "asyncpg.Connection[asyncpg.Record]",
    statement: Statement,
    *,
    values: str | None = None,
    times: int = 1,
) -> dict[str, Any]:
    """The plan of a prepared statement: for all values, or the one used the n-th time for these."""
    mode = "auto" if values else "force_generic_plan"
    await conn.execute(f"DEALLOCATE ALL; SET plan_cache_mode = {mode}")
    await conn.execute(f"PREPARE explained AS {statement.text}")
    count = await conn.fetchval("SELECT cardinality(parameter_types) FROM pg_prepared_statements")
    arguments = f"({values or ', '.join(['NULL'] * count)})" if count else ""
    explained = ""
    for _ in range(times):
        explained = await conn.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE explained {arguments}")
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_statement_planned_for_tables_of_this_size_reads_no_table_whole(
    size: Size, sized: dict[Size, str]
) -> None:
    faults = []
    async with planner(sized[size]) as conn:
        for statement in STATEMENTS:
            if is_whole_read(statement.name) or statement.name in OPTIONAL_FILTERS:
                continue
            read = whole_reads(await plan_of(conn, statement))
            faults += [f"{statement.name}: {each}" for each in read]
    assert not faults


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=str)
async def test_statement_with_optional_filters_is_planned_for_those_that_are_given(
    size: Size, sized: dict[Size, str]
) -> None:
    async with planner(sized[size]) as conn:
        for statement in STATEMENTS:
            if values := OPTIONAL_FILTERS.get(statement.name):
                plan = await plan_of(conn, statement, values=values, times=CUSTOM_PLANS + 5)
                assert not whole_reads(plan), statement.name


@pytest.mark.parametrize("unpublished", [0.0, 0.00001, 0.1, 0.9, 1.0])
async def test_relay_reads_the_outbox_in_order_whatever_share_is_unpublished(
    unpublished: float, sized: dict[Size, str]
) -> None:
    """An ordered scan forgets the entries of published rows; a bitmap meets them every time."""
    [statement] = [
        each for each in STATEMENTS if each.name == "workers/relay/store.py::unpublished"
    ]
    values = "ARRAY[1, 2, 3]::smallint[], ARRAY[]::text[], 500"
    for size in SIZES:
        async with planner(sized[size]) as conn:
            if size.rows:
                await set_share_of_nulls(conn, "^outbox", "published_at", unpublished)
            for plan in (
                await plan_of(conn, statement),
                await plan_of(conn, statement, values=values),
            ):
                kinds = {node["Node Type"] for node in nodes(plan)}
                assert not kinds & {"Sort", "Bitmap Heap Scan", "Seq Scan"}, size


async def test_every_exception_is_still_needed(sized: dict[Size, str]) -> None:
    names = {statement.name for statement in STATEMENTS}
    assert set(OPTIONAL_FILTERS) <= names
    async with planner(sized[LARGE]) as conn:
        for exception in WHOLE_READS:
            excused = [each for each in STATEMENTS if each.name.startswith(exception)]
            assert any([whole_reads(await plan_of(conn, each)) for each in excused]), exception


async def test_every_foreign_key_is_looked_up_by_an_index(database: Database) -> None:
    """When a row that is referred to goes; no EXPLAIN of a statement shows that."""
    found = await database.fetch(
        """
        SELECT conname AS name, conrelid::regclass::text AS table FROM pg_constraint
         WHERE contype = 'f' AND connamespace = 'public'::regnamespace
           AND NOT EXISTS (
                   SELECT FROM pg_index
                    WHERE indrelid = conrelid AND indpred IS NULL
                      AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey
               )
        """
    )
    assert {row["table"] for row in found} <= SMALL_TABLES.keys()


def test_every_query_is_a_statement_that_is_collected() -> None:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            found = list(uncollected_queries(path.read_text("utf-8")))
            assert file in ADMINISTRATION or found == QUERIES_OF_OTHERS.get(file, []), file


def test_new_statement_is_collected_without_being_named() -> None:
    source = (
        'async def count(conn):\n    return await conn.fetchval("SELECT count(*) FROM users")\n'
    )
    [statement] = statements_of("workers/watchlist/store.py", source)
    assert statement == Statement(
        "workers/watchlist/store.py", "count", "SELECT count(*) FROM users"
    )


async def test_new_statement_that_reads_a_table_whole_is_found(sized: dict[Size, str]) -> None:
    statement = Statement("new.py", "count", "SELECT count(*) FROM users WHERE display_name = $1")
    for dsn in sized.values():
        async with planner(dsn) as conn:
            assert whole_reads(await plan_of(conn, statement)) == ["Seq Scan of users"]


def test_new_statement_of_local_names_is_refused() -> None:
    source = 'def find(conn, table):\n    return conn.fetch(f"SELECT * FROM {table}")\n'
    with pytest.raises(UnknownStatementError, match="find makes a statement of local names"):
        list(statements_of("workers/watchlist/store.py", source))


def test_query_that_is_built_elsewhere_is_found() -> None:
    source = "async def find(conn, query):\n    await conn.fetch(query)\n"
    assert list(uncollected_queries(source)) == ["find: query"]
