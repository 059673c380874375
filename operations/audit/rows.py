"""The rows of the audit log as their verification reads them."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.personal import PersonalKey
from infra.postgres.pool import Connection

PAGE = 2_000
_BEFORE_ALL = (UUID(int=0), datetime(1, 1, 1, tzinfo=UTC))


_COLUMNS = """event_id, created_at, user_id, action, type, correlation_id, topic, partition,
                   "offset", headers::text, details::text, key, payload, ip_address, user_agent,
                   recorded_at"""


async def all_rows(conn: Connection) -> AsyncIterator[list[dict[str, Any]]]:
    """Every row, a page at a time, in the order of ids, which is nearly that of their times."""
    after = _BEFORE_ALL
    while True:
        rows = await conn.fetch(
            f"""
            SELECT {_COLUMNS}
              FROM audit_log
             WHERE (event_id, created_at) > ($1, $2)
             ORDER BY event_id, created_at
             LIMIT $3
            """,  # noqa: S608  # a constant
            *after,
            PAGE,
        )
        if not rows:
            return
        yield [dict(row) for row in rows]
        after = (rows[-1]["event_id"], rows[-1]["created_at"])


async def rows_of(conn: Connection, ids: Collection[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """What the log has under these ids."""
    rows = await conn.fetch(
        """
        SELECT event_id, created_at, topic, partition, "offset", key, payload, type
          FROM audit_log
         WHERE event_id = ANY($1)
        """,
        list(ids),
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["event_id"], []).append(dict(row))
    return found


async def whole_rows(conn: Connection, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """The rows of these events, all of each, as `all_rows` has them."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM audit_log WHERE event_id = ANY($1)",  # noqa: S608  # a constant
        list(ids),
    )
    return {row["event_id"]: dict(row) for row in rows}


async def keys_of(conn: Connection, ids: Iterable[str | None]) -> dict[str, PersonalKey]:
    """Those of these keys that were not destroyed."""
    rows = await conn.fetch(
        "SELECT id, secret FROM personal_keys WHERE id = ANY($1)",
        sorted({each for each in ids if each}),
    )
    return {row["id"]: PersonalKey(row["id"], row["secret"]) for row in rows}
