"""Changes to the audit log that verification must find."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.stack import Stack


@asynccontextmanager
async def changed(stack: Stack) -> AsyncIterator[str]:
    """A row of the log that its owner has changed, put right in the end: its event id."""
    async with stack.postgres() as conn:
        row = await conn.fetchrow(
            "SELECT event_id, action FROM audit_log ORDER BY created_at LIMIT 1"
        )
        assert row
        query = "UPDATE audit_log SET action = $2 WHERE event_id = $1"
        await conn.execute(query, row["event_id"], "nothing.happened")
        try:
            yield str(row["event_id"])
        finally:
            await conn.execute(query, row["event_id"], row["action"])
