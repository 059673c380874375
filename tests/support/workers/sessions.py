"""Sessions by name."""

from datetime import timedelta

from tests.support.workers.accounts_slice import AccountsSlice

INVALID = "invalid-refresh-token"


A_MOMENT = timedelta(seconds=1)


async def ended(deps: AccountsSlice) -> list[bool]:
    rows = await deps.database.fetch("SELECT ended_at FROM sessions ORDER BY id")
    return [row["ended_at"] is not None for row in rows]
