"""Old code on a new schema: no migration takes away, in one step, what running code relies on."""

import pytest

from infra.postgres.migrate import Migration, read_migrations
from tests.support.infra.migration_rules import breaks


@pytest.mark.parametrize("migration", read_migrations(), ids=lambda m: m.name)
def test_the_version_before_still_runs_after_the_migration(migration: Migration) -> None:
    assert breaks(migration.sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE users ADD COLUMN locale text",
        "ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en'",
        "ALTER TABLE users ADD COLUMN a int, ADD COLUMN b int DEFAULT 1 NOT NULL",
        "ALTER TABLE users ALTER COLUMN email DROP NOT NULL",
        "CREATE TABLE notes (id int NOT NULL UNIQUE); ALTER TABLE notes ADD CHECK (id > 0)",
        "CREATE TABLE notes (id int); CREATE UNIQUE INDEX ON notes (id)",
        "CREATE FUNCTION f() RETURNS void AS $$ DROP TABLE users; $$; REVOKE ALL ON FUNCTION f",
        "CREATE INDEX users_tier ON users (tier)",
        "UPDATE users SET display_name = 'DROP TABLE users; RENAME'",
        "-- contract: nothing has read it since 0.4\nALTER TABLE users DROP COLUMN locale",
    ],
)
def test_what_adds_is_allowed(sql: str) -> None:
    assert breaks(sql) == []


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DROP TABLE users", "drops"),
        ("drop view profiles", "drops"),
        ("ALTER TABLE users DROP COLUMN tier", "drops"),
        ("ALTER TABLE users ALTER tier DROP DEFAULT", "drops"),
        ("ALTER TABLE users RENAME COLUMN tier TO plan", "renames"),
        ("ALTER TABLE users RENAME TO people", "renames"),
        ("ALTER TABLE users ALTER COLUMN email SET NOT NULL", "nulls"),
        ("ALTER TABLE users ALTER version TYPE bigint", "type"),
        ("ALTER TABLE users ADD COLUMN a int DEFAULT 1, ADD COLUMN b int NOT NULL", "not fill"),
        ("ALTER TABLE users ADD locale text NOT NULL", "not fill"),
        ("ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17)", "refuses rows"),
        ("CREATE UNIQUE INDEX ON users (email)", "refuses rows"),
        ("REVOKE SELECT ON users FROM qnt9_signup", "takes a right"),
        ("TRUNCATE quotes", "empties"),
        ("-- contract:\nDROP TABLE users", "drops"),
        ("-- contract: gone\nDROP TABLE a; DROP TABLE b", "drops"),
    ],
)
def test_what_takes_away_is_named(sql: str, why: str) -> None:
    (fault,) = breaks(sql)
    assert why in fault
