"""The SQL of the service with the system's duties: one statement, so one transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from bench.plain.lean_store import Client, Item
from infra.postgres.pool import Pool

CHAINS = 6
"""As many as the system's topic has partitions; a user's events are in one of them."""


@dataclass(frozen=True, slots=True)
class Event:
    """The event of a change, for other services."""

    id: UUID
    payload: str
    headers: str


def leaf_of(item: Item, event: Event, client: Client) -> bytes:
    """The hash of an audit row: SHA-256 over its fields, each with its length before it."""
    fields = (str(event.id), str(item.user_id), event.headers, event.payload, client.agent or "")
    content = b"".join(len(f).to_bytes(4, "big") + f for f in map(str.encode, fields))
    return hashlib.sha256(b"\x00" + content).digest()


async def save_item(pool: Pool, item: Item, event: Event, client: Client) -> bool | None:
    """Item, audit row, link of its chain and event, or nothing of it.

    Whether the item was created; None when the list is full or there is no such user. The head of
    a chain is locked until the commit, so that no chain forks.
    """
    created: bool | None = await pool.fetchval(
        """
        WITH holder AS (
            SELECT id, tier FROM users WHERE id = $1 FOR NO KEY UPDATE
        ), item AS (
            INSERT INTO watchlist_items (user_id, symbol, note)
            SELECT id, $2, $3
              FROM holder
             WHERE (SELECT count(*) FROM watchlist_items WHERE user_id = $1)
                    < CASE tier WHEN 'pro' THEN 1000 WHEN 'plus' THEN 200 ELSE 50 END
                OR EXISTS (SELECT FROM watchlist_items WHERE user_id = $1 AND symbol = $2)
                ON CONFLICT (user_id, symbol) DO UPDATE SET note = excluded.note
            RETURNING xmax = 0 AS created
        ), logged AS (
            INSERT INTO audit_log (user_id, action, details, ip_address, user_agent)
            SELECT $1, 'watchlist.item_added', $4::jsonb, $5::text::inet, $6 FROM item
        ), emitted AS (
            INSERT INTO outbox (id, key, payload, headers)
            SELECT $7, $1::text, $8, $9::jsonb FROM item
        ), head AS (
            UPDATE audit_heads
               SET length = length + 1, hash = sha256('\\x01'::bytea || hash || $10)
              FROM item
             WHERE chain = $11
            RETURNING chain, length, hash
        ), linked AS (
            INSERT INTO audit_chain (chain, sequence, event_id, hash)
            SELECT chain, length, $7, hash FROM head
        )
        SELECT created FROM item
        """,
        item.user_id,
        item.symbol,
        item.note,
        item.details,
        client.ip,
        client.agent,
        event.id,
        event.payload,
        event.headers,
        leaf_of(item, event, client),
        item.user_id.int % CHAINS,
    )
    return created


async def unpublished(pool: Pool, limit: int) -> list[asyncpg.Record]:
    """The oldest events that Kafka does not have yet."""
    return await pool.fetch(
        """
        SELECT seq, key, payload, headers::text
          FROM outbox
         WHERE published_at IS NULL
         ORDER BY seq
         LIMIT $1
        """,
        limit,
    )


async def mark_published(pool: Pool, numbers: Sequence[int]) -> None:
    await pool.execute("UPDATE outbox SET published_at = now() WHERE seq = ANY($1)", numbers)
