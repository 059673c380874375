"""Copies of the tables of the audit log, from which tests make it again as it was."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

TABLES = ("audit_log", "audit_chain", "audit_heads")


async def save(conn: Any) -> None:
    """Copies of the tables of the log, from which `restored` makes them again."""
    await conn.execute("CREATE SCHEMA saved")
    for table in TABLES:
        await conn.execute(f"CREATE TABLE saved.{table} AS TABLE public.{table}")


@asynccontextmanager
async def restored(conn: Any) -> AsyncIterator[None]:
    """The log is in the end as it was, whatever was committed."""
    try:
        yield
    finally:
        async with conn.transaction():
            await conn.execute("SET LOCAL session_replication_role = replica")
            await conn.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_chain")
            await conn.execute(f"TRUNCATE {', '.join(TABLES)}")
            for table in TABLES:
                await conn.execute(f"INSERT INTO {table} SELECT * FROM saved.{table}")
