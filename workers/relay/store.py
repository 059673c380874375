"""The SQL of the relay: leases on shards, unpublished events, and which of them are published."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from infra.kafka.producer import Outgoing
from infra.postgres.pool import Connection
from workers.relay.rules import Row


async def register(conn: Connection, relay: UUID, seconds: float) -> None:
    """Begin a lease, which runs out after so many seconds, or with the session of `conn`."""
    await conn.execute(
        """
        INSERT INTO relays (id, session_pid, session_started, expires_at)
        SELECT $1, pid, backend_start, clock_timestamp() + make_interval(secs => $2)
          FROM pg_stat_activity
         WHERE pid = pg_backend_pid()
        """,
        relay,
        seconds,
    )


async def renew(conn: Connection, relay: UUID, seconds: float) -> bool:
    """Extend a lease. False when it has run out, or another relay has removed it."""
    renewed: int | None = await conn.fetchval(
        """
        UPDATE relays
           SET expires_at = clock_timestamp() + make_interval(secs => $2)
         WHERE id = $1 AND expires_at > clock_timestamp()
        RETURNING 1
        """,
        relay,
        seconds,
    )
    return renewed is not None


async def deregister(conn: Connection, relay: UUID) -> None:
    """End a lease, and with it the ownership of its shards."""
    await conn.execute("DELETE FROM relays WHERE id = $1", relay)


async def remove_expired(conn: Connection) -> None:
    """End the leases that have run out or whose session is over. Their shards become free."""
    await conn.execute(
        """
        DELETE FROM relays
         WHERE expires_at <= clock_timestamp()
            OR NOT EXISTS (
                   SELECT FROM pg_stat_activity
                    WHERE pid = session_pid AND backend_start = session_started
               )
        """
    )


async def shard_owners(conn: Connection) -> dict[int, UUID | None]:
    """Which relay owns each shard; None where none does."""
    rows = await conn.fetch("SELECT shard, relay FROM relay_shards ORDER BY shard")
    return {row["shard"]: row["relay"] for row in rows}


async def count_relays(conn: Connection) -> int:
    """How many relays have a lease."""
    count: int = await conn.fetchval("SELECT count(*) FROM relays")
    return count


async def take_shard(conn: Connection, relay: UUID, shard: int) -> bool:
    """Take a shard that no relay owns. False when one does, or our lease has run out."""
    taken: int | None = await conn.fetchval(
        """
        UPDATE relay_shards
           SET relay = $1
         WHERE shard = $2
           AND relay IS NULL
           AND EXISTS (SELECT FROM relays WHERE id = $1 AND expires_at > clock_timestamp())
        RETURNING 1
        """,
        relay,
        shard,
    )
    return taken is not None


async def release_shard(conn: Connection, relay: UUID, shard: int) -> None:
    """Give up a shard, if it is ours."""
    await conn.execute(
        "UPDATE relay_shards SET relay = NULL WHERE shard = $2 AND relay = $1", relay, shard
    )


async def oldest_unpublished_seconds(conn: Connection) -> float:
    """How long the oldest unpublished event of all shards has waited, owned or not; 0 for none."""
    seconds: float | None = await conn.fetchval(
        """
        SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
          FROM outbox
         WHERE published_at IS NULL
         ORDER BY seq
         LIMIT 1
        """
    )
    return max(0.0, seconds or 0.0)


async def unpublished(
    conn: Connection, shards: Iterable[int], held: Sequence[str], limit: int
) -> list[Row]:
    """The oldest unpublished events of these shards.

    No cursor: a row that was committed late is found like any other. Partitions in which all is
    published have nothing in the partial index that this reads.

    The sub-selects hide the values from the planner, which then always reads the index in its
    order. That passes over rows published since the last vacuum; a bitmap and a sort would not.
    """
    rows = await conn.fetch(
        """
        SELECT seq, created_at, aggregatetype, aggregateid, payload, headers
          FROM outbox
         WHERE published_at IS NULL
           AND shard = ANY((SELECT $1::smallint[])::smallint[])
           AND aggregateid <> ALL($2::text[])
         ORDER BY seq
         LIMIT (SELECT $3::bigint)
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
                headers_of(row["headers"]),
            ),
        )
        for row in rows
    ]


def headers_of(stored: Any) -> list[tuple[str, bytes]]:
    """The headers of a row. What no worker writes is published as it is, and judged by readers."""
    if not isinstance(stored, dict):
        return []
    return [
        (name, (value if isinstance(value, str) else repr(value)).encode())
        for name, value in stored.items()
    ]


async def mark_published(conn: Connection, rows: Sequence[Row]) -> None:
    """The bounds let Postgres leave out every other partition.

    Whoever marks need not own the shard any more: what Kafka acknowledged is published.

    The commit does not wait for the disk. A crash of PostgreSQL may lose the last marks, never one
    without those after it; their events are published again, as after a relay that was killed.
    """
    created: list[datetime] = [row.created_at for row in rows]
    await conn.execute(
        """
        UPDATE outbox
           SET published_at = now()
          FROM (SELECT set_config('synchronous_commit', 'off', true)) AS until_the_end
         WHERE seq = ANY($1::bigint[])
           AND published_at IS NULL
           AND created_at BETWEEN $2 AND $3
        """,
        [row.seq for row in rows],
        min(created),
        max(created),
    )


async def ensure_partitions(conn: Connection) -> None:
    """Create the partitions of the outbox for the days ahead. Idempotent."""
    await conn.execute("SELECT ensure_partitions('outbox', 'day', 3)")
