"""What may go of the tables that every worker writes: what was handled, what was published.

Both are functions of the database, so that the relay may remove what is old and nothing else.
"""

from datetime import timedelta

from infra.postgres.pool import Connection
from infra.postgres.retention import Rule


def rules(*, outcomes: timedelta, outbox: timedelta) -> list[Rule]:
    """Return what is deleted, and when: outcomes in the inbox, published events."""
    return [Rule("inbox", outcomes, delete_handled), Rule("outbox", outbox, delete_published)]


async def delete_handled(conn: Connection, keep: timedelta, most: int) -> int:
    """Not what waits as a dead letter: that may come again at any time."""
    removed: int = await conn.fetchval("SELECT forget_handled($1, $2)", keep, most)
    return removed


async def delete_published(conn: Connection, keep: timedelta, most: int) -> int:
    """Whole days of which everything is published, their rows as Postgres estimates them."""
    removed: int = await conn.fetchval("SELECT forget_published($1, $2)", keep, most)
    return removed
