"""The database and its roles, made or brought up to date at each start; tables are migrations'."""

from collections.abc import Mapping

import asyncpg

DATABASE = "qnt9"
OWNER = "qnt9_owner"


async def ensure_database(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """The database of the owner, and each role with its password; as one who may make roles."""
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        for role, password in passwords.items():
            await _ensure_role(connection, role, password)
        if not await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", DATABASE
        ):
            await _act_for_owner(connection)
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {', '.join(passwords)}")
    finally:
        await connection.close()


async def _ensure_role(
    connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str
) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    statement = await connection.fetchval(
        "SELECT format($1, $2::text, $3::text)",
        "ALTER ROLE %I LOGIN PASSWORD %L" if known else "CREATE ROLE %I LOGIN PASSWORD %L",
        role,
        password,
    )
    await connection.execute(statement)


async def _act_for_owner(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Managed servers give no superuser, and only a member may make a database for another."""
    if not await connection.fetchval("SELECT pg_has_role($1, 'SET')", OWNER):
        await connection.execute(f"GRANT {OWNER} TO CURRENT_USER")
