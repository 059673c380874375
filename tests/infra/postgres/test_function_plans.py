"""Every statement inside a function of the database is executed by index, too."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from infra.postgres.pool import session_settings
from tests.support.infra.plan_rules import whole_reads
from tests.support.infra.table_sizes import SIZES, Size, resize
from tests.support.postgres import Database, Server, copy_of

A_USER = "00000000-0000-4000-8000-000000000001"
FUNCTION_CALLS = {
    "day_key": "SELECT day_key(current_date)",
    "dead_letter_keys": "SELECT dead_letter_keys(ARRAY[gen_random_uuid()])",
    "ensure_partitions": "SELECT ensure_partitions('outbox', 'day', 1)",
    "erase_user": f"SELECT erase_user('{A_USER}')",
    "extend_audit_chain": """
        INSERT INTO audit_log (event_id, created_at, action, details, type, topic, partition,
                               "offset", headers, payload)
        SELECT gen_random_uuid(), now(), 'a', '{}', 'a', 'users.events', n % 3, n, '{}', ''
          FROM generate_series(1, 20) AS n
    """,
    "forget_handled": "SELECT forget_handled('30 days', 1000)",
    "forget_published": "SELECT forget_published('30 days', 1000)",
    "hold_personal_keys": "SELECT hold_personal_keys(ARRAY['a'])",
    "recorded_events": "SELECT recorded_events(ARRAY[gen_random_uuid()])",
    "request_mail": """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
        VALUES (gen_random_uuid(), 'users', 'a', 'a', '{}', '{}')
    """,
    "skip_recovered_event": """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers)
        VALUES (gen_random_uuid(), 'quotes', 'a', 'a', '{}', '{}')
    """,
    "unknown_messages": """
        SELECT unknown_messages(reader, ARRAY[gen_random_uuid()])
          FROM unnest(ARRAY['audit', 'verification-mails', 'watchlist']) AS reader
    """,
    "user_key": "SELECT user_key(gen_random_uuid())",
}
"""A call of every function of the database that reads or writes a table."""
PURE_FUNCTIONS = {"audit_field", "audit_leaf", "audit_link", "audit_links", "role_of_consumer"}
AUTO_EXPLAIN = """
    LOAD 'auto_explain';
    SET auto_explain.log_min_duration = 0;
    SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_format = json;
    SET auto_explain.log_level = notice;
    SET client_min_messages = notice;
"""


@asynccontextmanager
async def explained(
    database: Database, mode: str
) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", list[str]]]:
    """A session that makes its plans in this mode, and every plan that it has used since."""
    conn = await asyncpg.connect(
        database.superuser_dsn(), statement_cache_size=0, server_settings=session_settings("test")
    )
    notices: list[str] = []
    try:
        await conn.execute(f"{AUTO_EXPLAIN} SET plan_cache_mode = {mode}")
        conn.add_log_listener(lambda _, notice: notices.append(notice.message))
        yield conn, notices
    finally:
        await conn.close()


def faults_in(notices: list[str]) -> list[str]:
    """What the plans that were used read whole, by statement."""
    plans: list[dict[str, Any]] = [json.loads(notice[notice.index("{") :]) for notice in notices]
    return [
        f"{' '.join(plan['Query Text'].split())[:100]}: {each}"
        for plan in plans
        for each in whole_reads(plan["Plan"])
    ]


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_function_planned_for_tables_of_this_size_reads_no_table_whole(
    size: Size, mode: str, local_template: tuple[Server, str]
) -> None:
    server, template = local_template
    async with copy_of(server, template) as database:
        await database.execute(
            "INSERT INTO users (id, email, address_hash, email_confirmed_at)"
            f" VALUES ('{A_USER}', 'a', 'a', now())"
        )
        async with explained(database, mode) as (conn, notices):
            await resize(conn, size)
            for name, call in FUNCTION_CALLS.items():
                notices.clear()
                await conn.execute(call)
                await conn.execute("SET application_name = 'test'")  # after it, all notices are in
                assert notices, name
                assert not faults_in(notices), name


async def test_every_function_of_the_database_is_called_here(database: Database) -> None:
    found = await database.fetch(
        "SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    assert {row["name"] for row in found} == FUNCTION_CALLS.keys() | PURE_FUNCTIONS


async def test_join_that_reads_a_table_whole_inside_a_function_is_found(
    local_template: tuple[Server, str],
) -> None:
    server, template = local_template
    async with copy_of(server, template) as database:
        await database.execute(
            """
            CREATE FUNCTION look_up(ids uuid[]) RETURNS SETOF bytea LANGUAGE plpgsql AS $$
            BEGIN
                RETURN QUERY SELECT payload FROM audit_chain JOIN audit_log USING (event_id)
                              WHERE length(payload) > cardinality(ids);
            END $$
            """
        )
        async with explained(database, "force_generic_plan") as (conn, notices):
            await conn.execute("SELECT look_up('{}')")
            await conn.execute("SET application_name = 'test'")
            assert any("Seq Scan of audit_" in fault for fault in faults_in(notices))


async def test_no_function_and_no_session_switches_a_kind_of_plan_off(database: Database) -> None:
    switches = await database.fetch(
        """
        SELECT name FROM pg_settings
         WHERE source = 'client' AND (name LIKE 'enable%' OR name = 'plan_cache_mode')
        UNION ALL
        SELECT proname FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace AND proconfig::text LIKE '%enable%'
        """
    )
    assert not switches
