"""The committed page of the schema against what the migrations make."""

import pytest

from tests.support.infra.schema_page import MAJOR_VERSION, PAGE, schema_page
from tests.support.postgres import Database


async def test_the_page_is_what_all_migrations_make(database: Database) -> None:
    ((version,),) = [row.values() for row in await database.fetch("SHOW server_version_num")]
    if int(version) // 10_000 != MAJOR_VERSION:
        pytest.skip(f"the page is PostgreSQL {MAJOR_VERSION}'s")
    stale = "run `make schemas` and commit the result"
    assert schema_page(database.dsn()) == PAGE.read_text(encoding="utf-8"), stale


async def test_the_page_notices_a_column(database: Database) -> None:
    before = schema_page(database.dsn())
    await database.execute("ALTER TABLE users ADD COLUMN shoe_size int")
    after = schema_page(database.dsn())
    assert "shoe_size integer" in after
    assert "shoe_size" not in before
