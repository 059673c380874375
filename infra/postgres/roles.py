"""The database and its roles, made or brought up to date at each start; tables are migrations'."""

from collections.abc import Mapping

import asyncpg

DATABASE = "qnt9"
OWNER = "qnt9_owner"

CONNECTION_SHARES = {
    "qnt9_gateway": 0.4,
    "qnt9_signup": 0.2,
    "qnt9_accounts": 0.2,
    "qnt9_verification": 0.2,
    "qnt9_watchlist": 0.2,
    "qnt9_quotes": 0.2,
    "qnt9_audit": 0.1,
    "qnt9_relay": 0.1,
}
"""How much of the server's `max_connections` one role may take, so that none can take all."""
FEWEST_CONNECTIONS = 8


async def ensure_database(admin_dsn: str, passwords: Mapping[str, str]) -> None:
    """Make the owner's database, and each role with its password. Idempotent."""
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        most = int(await connection.fetchval("SHOW max_connections"))
        for role, password in passwords.items():
            await _ensure_role(connection, role, password, connections=limit(role, most))
        if not await connection.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", DATABASE
        ):
            await _act_for_owner(connection)
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {', '.join(passwords)}")
        await _close_other_databases(connection)
    finally:
        await connection.close()


def limit(role: str, most: int) -> int:
    """Return how many connections a role may have on a server that takes so many.

    -1 is no limit.
    """
    share = CONNECTION_SHARES.get(role)
    return -1 if share is None else max(FEWEST_CONNECTIONS, int(share * most))


async def _ensure_role(
    connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str, *, connections: int
) -> None:
    known = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    statement = await connection.fetchval(
        "SELECT format($1, $2::text, $3::int, $4::text)",
        f"{'ALTER' if known else 'CREATE'} ROLE %I LOGIN CONNECTION LIMIT %s PASSWORD %L",
        role,
        connections,
        password,
    )
    await connection.execute(statement)


async def _close_other_databases(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nobody but who administers the server connects to its own databases.

    PUBLIC may by default, and make temporary tables there. A server that has databases of others
    too is left as it is, and so is one on which this role may not change that.
    """
    own = (DATABASE, "postgres", "template0", "template1")
    others = await connection.fetchval(
        "SELECT count(*) FROM pg_database WHERE datname <> ALL($1)", own
    )
    rows = await connection.fetch(
        """
        SELECT datname FROM pg_database
         WHERE datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE')
        """
    )
    if others:
        return
    for row in rows:
        await connection.execute(f"GRANT CONNECT ON DATABASE {row['datname']} TO CURRENT_USER")
        await connection.execute(f"REVOKE ALL ON DATABASE {row['datname']} FROM PUBLIC")


async def _act_for_owner(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Managed servers give no superuser, and only a member may make a database for another."""
    if not await connection.fetchval("SELECT pg_has_role($1, 'SET')", OWNER):
        await connection.execute(f"GRANT {OWNER} TO CURRENT_USER")
