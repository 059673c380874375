"""The SQL of the relay. All of it runs in one session: who loses the session owns nothing more."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from infra.kafka.producer import Outgoing
from infra.postgres.pool import Connection
from workers.relay.rules import Row

LOCKS = 0x514E5453
"""The class of the relays' advisory locks; the second number is a shard, or PRESENCE."""

PRESENCE = 1_000


async def read_in_order(conn: Connection) -> None:
    """An ordered index scan passes over rows published since the last vacuum; a bitmap does not."""
    await conn.execute("SET enable_bitmapscan = off")


async def announce_presence(conn: Connection) -> None:
    """Be counted among the relays for as long as the session lasts."""
    await conn.execute("SELECT pg_advisory_lock_shared($1, $2)", LOCKS, PRESENCE)


async def count_relays(conn: Connection) -> int:
    count: int = await conn.fetchval(
        """
        SELECT count(DISTINCT pid)
          FROM pg_locks
         WHERE locktype = 'advisory' AND classid = $1::int AND objid = $2::int AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        LOCKS,
        PRESENCE,
    )
    return count


async def take_shard(conn: Connection, shard: int) -> bool:
    """Whether it was free."""
    taken: bool = await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCKS, shard)
    return taken


async def release_shard(conn: Connection, shard: int) -> None:
    await conn.execute("SELECT pg_advisory_unlock($1, $2)", LOCKS, shard)


async def unpublished(
    conn: Connection, shards: Iterable[int], held: Sequence[str], limit: int
) -> list[Row]:
    """The oldest unpublished events of these shards.

    No cursor: a row that was committed late is found like any other. Partitions in which all is
    published have nothing in the partial index that this reads.
    """
    rows = await conn.fetch(
        """
        SELECT seq, created_at, aggregatetype, aggregateid, payload, headers
          FROM outbox
         WHERE published_at IS NULL
           AND shard = ANY($1::smallint[])
           AND aggregateid <> ALL($2::text[])
         ORDER BY seq
         LIMIT $3
        """,
        list(shards),
        held,
        limit,
    )
    return [
        Row(
            row["seq"],
            row["created_at"],
            f"{row['aggregatetype']}.events",
            Outgoing(
                row["aggregateid"].encode(),
                row["payload"].encode(),
                [(name, value.encode()) for name, value in row["headers"].items()],
            ),
        )
        for row in rows
    ]


async def mark_published(conn: Connection, rows: Sequence[Row]) -> None:
    """The bounds let Postgres leave out every other partition."""
    created: list[datetime] = [row.created_at for row in rows]
    await conn.execute(
        """
        UPDATE outbox
           SET published_at = now()
          FROM unnest($1::bigint[], $2::timestamptz[]) AS done (seq, created_at)
         WHERE outbox.seq = done.seq
           AND outbox.created_at = done.created_at
           AND outbox.created_at BETWEEN $3 AND $4
        """,
        [row.seq for row in rows],
        created,
        min(created),
        max(created),
    )


async def ensure_partitions(conn: Connection) -> None:
    await conn.execute("SELECT ensure_partitions('outbox', 'day', 3)")
