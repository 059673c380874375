"""The database and its roles, made or brought up to date at each start; tables are migrations'."""

import asyncpg

from infra.embedded.credentials import Credentials
from infra.embedded.environment import dsn
from infra.embedded.ports import Ports

DATABASE = "qnt9"


async def ensure_database(credentials: Credentials, ports: Ports) -> None:
    connection = await asyncpg.connect(dsn("postgres", credentials, ports, database="postgres"))
    try:
        for role, password in credentials.postgres.items():
            if role != "postgres":
                await _ensure_role(connection, role, password)
        if not await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", DATABASE
        ):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER qnt9_owner")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        roles = ", ".join(role for role in credentials.postgres if role != "postgres")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {roles}")
    finally:
        await connection.close()


async def _ensure_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    statement = await connection.fetchval(
        "SELECT format($1, $2::text, $3::text)",
        "ALTER ROLE %I LOGIN PASSWORD %L" if known else "CREATE ROLE %I LOGIN PASSWORD %L",
        role,
        password,
    )
    await connection.execute(statement)
