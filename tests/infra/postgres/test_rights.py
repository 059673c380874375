"""Everything that each role could try, against what the table of rights lets it do."""

import ast
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from contracts.emitters import EMITTED_BY, EMITTED_FOR_CONSUMERS
from contracts.events import Event
from contracts.topics import MESSAGES, takes_commands
from infra.postgres.grants import (
    Grant,
    compare_rights,
    ensure_rights,
    read_grants,
    read_objects,
    wanted_grants,
)
from infra.postgres.migrate import read_migrations
from infra.postgres.pool import Connection
from infra.postgres.privileges import ROLES, consumers_of
from infra.postgres.rights import LEAVING, RIGHTS
from tests.support.postgres import Database
from tests.support.stack import ROOT

FIRST_WITHOUT_GRANTS = 22
"""From this migration on, rights are in the table alone."""
NOBODY_CAN = (
    asyncpg.WrongObjectTypeError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.GeneratedAlwaysError,
)
"""Writing what a view computes or joins, or a generated column."""
HINT = "add it to RIGHTS in infra/postgres/rights.py, with the roles that use it or NOBODY"


@dataclass(frozen=True)
class Attempt:
    """A statement that nobody may run but who has this right."""

    grant: Grant
    statement: str


@dataclass
class Tally:
    """What became of the attempts."""

    tried: int = 0
    refused: int = 0


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    pool = await database.pool()
    async with pool.acquire() as conn:
        yield conn


async def test_every_object_is_in_the_table_and_nothing_else_is(owner: Connection) -> None:
    objects = await read_objects(owner)
    assert objects.kinds.keys() - RIGHTS.keys() == set(), HINT
    assert RIGHTS.keys() - objects.kinds.keys() == set(), "remove what no migration makes any more"
    for name, roles in RIGHTS.items():
        for rights in roles.values():
            for right in rights:
                known = objects.columns.get(name, frozenset())
                assert set(right.columns) <= known, f"{name} has no {set(right.columns) - known}"


async def test_database_has_the_rights_of_the_table(owner: Connection) -> None:
    assert (await compare_rights(owner)).lines() == []
    assert await read_grants(owner) == wanted_grants(RIGHTS)


async def test_right_that_the_table_does_not_have_is_taken_away(owner: Connection) -> None:
    for statement in (
        "GRANT SELECT ON users TO qnt9_quotes",
        "GRANT INSERT ON users TO qnt9_signup",
        "GRANT UPDATE (tier) ON users TO qnt9_watchlist",
        "GRANT EXECUTE ON FUNCTION erase_user TO PUBLIC",
        "GRANT USAGE ON SEQUENCE outbox_seq TO qnt9_gateway",
        "REVOKE SELECT (id) ON users FROM qnt9_signup",
        "CREATE POLICY everything ON outbox FOR INSERT TO PUBLIC WITH CHECK (true)",
        "ALTER TABLE inbox DISABLE ROW LEVEL SECURITY",
        "DROP POLICY signup_insert ON inbox",
    ):
        await owner.execute(statement)
        assert await compare_rights(owner), statement
        assert await ensure_rights(owner), statement
        assert (await compare_rights(owner)).lines() == []


async def test_old_schema_is_given_what_it_has(owner: Connection) -> None:
    """Newer code prepares a database that lacks its newest table, function and column."""
    await owner.execute("DROP VIEW users_changed, sessions_open")
    await owner.execute("DROP FUNCTION day_key; ALTER TABLE quotes DROP COLUMN fresh_until CASCADE")
    assert "last_quotes" not in (await read_objects(owner)).kinds
    await ensure_rights(owner)
    assert (await compare_rights(owner)).lines() == []


def test_migrations_leave_rights_to_the_table() -> None:
    for migration in read_migrations():
        if migration.number >= FIRST_WITHOUT_GRANTS:
            found = re.search(
                r"^\s*(GRANT|REVOKE|CREATE POLICY)\b.*", migration.sql, re.MULTILINE | re.IGNORECASE
            )
            assert found is None, f"{migration.name} gives or takes a right: {HINT}"


def test_right_of_the_version_before_is_not_also_one_of_this() -> None:
    assert not wanted_grants(LEAVING) & wanted_grants(RIGHTS)


async def test_what_runs_as_the_owner_looks_names_up_in_one_schema(owner: Connection) -> None:
    rows = await owner.fetch(
        """
        SELECT proname, proconfig FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace AND prosecdef
        """
    )
    assert len(rows) > 5
    for row in rows:
        assert "search_path=public, pg_temp" in (row["proconfig"] or []), row["proname"]


HOSTED = {"verification": ("verification", "notifications")}
"""The slices of a process that runs more than one."""


def emitted_in(process: str) -> set[str]:
    """The names of the events that a slice's source constructs or hands on to be constructed."""
    names = {event.__name__ for event in MESSAGES.values() if issubclass(event, Event)}
    found: set[str] = set()
    hosted = HOSTED.get(process, (process,))
    for path in (path for name in hosted for path in (ROOT / "workers" / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given = [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
                found |= {each.id for each in given if isinstance(each, ast.Name)} & names
    return found


@pytest.mark.parametrize("process", EMITTED_BY)
def test_slice_emits_what_is_declared_and_says_so(process: str) -> None:
    declared = {event.__name__ for event in EMITTED_BY[process]}
    common = {event.__name__ for event in EMITTED_FOR_CONSUMERS}
    takes = any(takes_commands(consumer) for consumer in consumers_of(process))
    assert emitted_in(process) | (common if takes else set()) == declared
    text = (ROOT / "workers" / process / "__init__.py").read_text("utf-8")
    emits = re.split(r"^(?:Emits)\b", text, flags=re.MULTILINE)[1]
    said = re.split(r"^(?:[A-Z]\w+)\b", emits, maxsplit=1, flags=re.MULTILINE)[0]
    assert {name for name in re.findall(r"\w+", said) if name[0].isupper()} == declared


async def attempts(owner: Connection) -> list[Attempt]:
    """For a role that is filled in later: every verb on every table, view, column and function."""
    found: list[Attempt] = []
    columns = await owner.fetch(
        r"""
        SELECT relname AS name, attname AS column, format_type(atttypid, atttypmod) AS type,
               relkind = 'S' AS is_sequence
          FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
           AND attnum > 0 AND NOT attisdropped
         ORDER BY relname, attnum
        """
    )
    for row in columns:
        name, column = row["name"], row["column"]
        quoted, null = f'"{column}"', f"NULL::{row['type']}"
        found.append(
            Attempt(Grant("", "SELECT", name, column), f"SELECT {quoted} FROM {name} LIMIT 0")
        )
        if row["is_sequence"]:
            continue
        insert = f"INSERT INTO {name} ({quoted}) SELECT {null} WHERE false"
        update = f"UPDATE {name} SET {quoted} = {null} WHERE false"
        found += [
            Attempt(Grant("", "INSERT", name, column), insert),
            Attempt(Grant("", "UPDATE", name, column), update),
        ]
    for name in dict.fromkeys(row["name"] for row in columns if not row["is_sequence"]):
        found += [
            Attempt(Grant("", "DELETE", name), f"DELETE FROM {name} WHERE false"),
            Attempt(Grant("", "TRUNCATE", name), f"TRUNCATE {name}"),
            Attempt(Grant("", "DELETE", name), f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"),
        ]
    for name in dict.fromkeys(row["name"] for row in columns if row["is_sequence"]):
        found += [
            Attempt(Grant("", "USAGE", name), f"SELECT nextval('{name}')"),
            Attempt(Grant("", "UPDATE", name), f"SELECT setval('{name}', 1)"),
        ]
    routines = await owner.fetch(
        """
        SELECT proname, array_agg('NULL::' || format_type(type, NULL) ORDER BY place)
                        FILTER (WHERE type IS NOT NULL) AS arguments
          FROM pg_proc LEFT JOIN unnest(proargtypes) WITH ORDINALITY AS a (type, place) ON true
         WHERE pronamespace = 'public'::regnamespace
         GROUP BY pg_proc.oid, proname
        """
    )
    for row in routines:
        call = f"SELECT {row['proname']}({', '.join(row['arguments'] or ())})"
        found.append(Attempt(Grant("", "EXECUTE", row["proname"]), call))
    return found


async def is_refused(conn: Connection, statement: str) -> bool:
    """Whether the database refused it for want of a right, or nobody could do it; undone anyhow."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute(statement)
    except (asyncpg.InsufficientPrivilegeError, *NOBODY_CAN):
        return True
    except asyncpg.PostgresError:
        return False
    else:
        return False
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("role", ROLES)
async def test_role_may_do_what_the_table_says_and_nothing_else(
    role: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = await database.pool()
    async with pool.acquire() as owner:
        tries = await attempts(owner)
    assert len(tries) > 300
    mine = {grant for grant in wanted_grants(RIGHTS) if grant.role == role}
    tally, used = Tally(), set[Grant]()
    conn = await asyncpg.connect(database.dsn(f"qnt9_{role}"))
    try:
        for attempt in tries:
            grant = Grant(role, attempt.grant.verb, attempt.grant.object, attempt.grant.column)
            refused = await is_refused(conn, attempt.statement)
            tally.tried += 1
            tally.refused += refused
            used |= {grant} & mine
            assert refused == (grant not in mine), f"{grant}: {attempt.statement}"
    finally:
        await conn.close()
    assert used == mine, "each right was tried"
    with capsys.disabled():
        sys.stdout.write(
            f"\n{role}: {tally.tried} tried, {tally.refused} refused, {len(mine)} rights\n"
        )


NEVER = (
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE EXTENSION pg_trgm",
    "CREATE ROLE mine",
    "CREATE PUBLICATION mine FOR TABLE outbox",
    "SET ROLE qnt9_owner",
    "SET SESSION AUTHORIZATION qnt9_owner",
    "GRANT SELECT ON users TO PUBLIC",
    "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE users OWNER TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "DROP POLICY quotes_insert ON outbox",
    "CREATE POLICY mine ON outbox FOR INSERT WITH CHECK (true)",
    "CREATE TRIGGER mine BEFORE INSERT ON outbox EXECUTE FUNCTION request_mail()",
    "COPY users TO PROGRAM 'cat'",
    "COPY users TO '/tmp/users'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT rolpassword FROM pg_authid",
    "CHECKPOINT",
)


@pytest.mark.parametrize("role", ROLES)
async def test_role_makes_becomes_and_changes_nothing(role: str, database: Database) -> None:
    others = [f"SET ROLE qnt9_{other}" for other in ROLES if other != role]
    conn = await asyncpg.connect(database.dsn(f"qnt9_{role}"))
    try:
        for statement in (*NEVER, *others):
            assert await is_refused(conn, statement), statement
    finally:
        await conn.close()
