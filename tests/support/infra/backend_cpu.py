"""CPU time of PostgreSQL's processes, from the kernel's accounts of this machine."""

from pathlib import Path

import asyncpg

from infra.postgres.pool import Connection


async def backend_cpu_seconds(
    conn: "Connection | asyncpg.Connection[asyncpg.Record]", role: str
) -> dict[int, float]:
    """What each session of a role in this database has used so far, by process id."""
    rows = await conn.fetch(
        "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND datname = current_database()", role
    )
    return {row["pid"]: _cpu_seconds(row["pid"]) for row in rows}


async def reference_cpu_seconds(conn: "Connection | asyncpg.Connection[asyncpg.Record]") -> float:
    """What a fixed piece of work takes now: a second is worth less on a busy machine."""
    pid = await conn.fetchval("SELECT pg_backend_pid()")
    before = _cpu_seconds(pid)
    await conn.fetchval("SELECT max(sha256(n::text::bytea)) FROM generate_series(1, 200000) AS n")
    return _cpu_seconds(pid) - before


def _cpu_seconds(pid: int) -> float:
    """On the processor, user and system together; `/proc/PID/schedstat` counts nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9
