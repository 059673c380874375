"""Makes the planner believe that the tables of a test's database have so many rows.

It estimates from the length of the files and from `pg_class`: files are lengthened with empty
pages, which take no room on the disk, and the statistics are set as ANALYZE would set them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg

PAGE_BYTES = 8_192
ROWS_A_PAGE = 40
ENTRIES_A_PAGE = 150
DISTINCT = -0.2
"""Five rows share a value of a column, on average."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large every table seems to be; no rows and no statistics when `rows` is None."""

    name: str
    rows: int | None

    def __str__(self) -> str:
        return self.name


NEVER_ANALYSED = Size("never analysed", None)
SMALL = Size("1,000 rows", 1_000)
LARGE = Size("1,000,000 rows", 1_000_000)
SIZES = (NEVER_ANALYSED, SMALL, LARGE)

_RELATIONS = """
    SELECT oid::regclass::text AS name, relkind::text AS kind, pg_relation_filepath(oid) AS file
      FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i')
"""
_PAGES = """
    SELECT pg_restore_relation_stats(
               'version', current_setting('server_version_num')::int,
               'schemaname', 'public', 'relname', $1::text,
               'relpages', $2::int, 'reltuples', $3::real, 'relallvisible', $2::int)
"""
_COLUMNS = """
    SELECT pg_restore_attribute_stats(
               'version', current_setting('server_version_num')::int,
               'schemaname', 'public', 'relname', relname::text, 'attname', attname::text,
               'inherited', relkind = 'p', 'null_frac', 0.1::real, 'avg_width', 16,
               'n_distinct', $1::real)
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND attnum > 0 AND NOT attisdropped
"""


async def resize(superuser: "asyncpg.Connection[asyncpg.Record]", size: Size) -> None:
    """Let every table seem to have this size. The server's files must be on this machine."""
    if size.rows is None:
        return
    folder = Path(await superuser.fetchval("SHOW data_directory"))
    await superuser.execute("CHECKPOINT")
    for relation in await superuser.fetch(_RELATIONS):
        an_index = relation["kind"] == "i"
        pages = size.rows // (ENTRIES_A_PAGE if an_index else ROWS_A_PAGE) + 1
        if relation["file"]:
            os.truncate(folder / relation["file"], pages * PAGE_BYTES)
        await superuser.execute(_PAGES, relation["name"], pages, float(size.rows))
    await superuser.execute(_COLUMNS, DISTINCT)


async def set_share_of_nulls(
    superuser: "asyncpg.Connection[asyncpg.Record]", tables: str, column: str, share: float
) -> None:
    """Let this share of the rows seem to have no value in a column; `tables` is a pattern."""
    await superuser.execute(
        """
        SELECT pg_restore_attribute_stats(
                   'version', current_setting('server_version_num')::int,
                   'schemaname', 'public', 'relname', relname::text, 'attname', $2::text,
                   'inherited', relkind = 'p', 'null_frac', $3::real, 'avg_width', 8,
                   'n_distinct', -0.1::real)
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname ~ $1
        """,
        tables,
        column,
        share,
    )
