"""Random changes to an audit log, as those make them who may: each says what it has done."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from operations.audit.hash_chain import START, leaf, link

Connection = Any

COLUMNS: dict[str, Callable[[Any], Any]] = {
    "user_id": lambda _: uuid4(),
    "action": lambda action: f"{action}.not",
    "details": lambda _: '{"user_id": "somebody else"}',
    "type": lambda type_: f"{type_}.not",
    "correlation_id": lambda id_: f"{id_}x",
    "offset": lambda offset: offset + 100_000,
    "key": lambda _: b"another key",
    "headers": lambda _: '{"ce_id": "another"}',
    "payload": lambda payload: payload + b" ",
    "ip_address": lambda _: "203.0.113.99",
    "user_agent": lambda _: "another browser",
    "recorded_at": lambda at: at + timedelta(seconds=1),
    "created_at": lambda at: at + timedelta(microseconds=1),
}
CLEAR = {"ip_address", "user_agent", "recorded_at"}
"""Columns that no chain covers."""


@dataclass(frozen=True)
class Link:
    """A row of the log, and where its chain has it."""

    chain: int
    sequence: int
    event_id: UUID
    created_at: Any
    covered: bool
    place: str
    """Topic and partition of the chain, as reports name it."""


@dataclass(frozen=True)
class Done:
    """What was done, to which chain, and from which entry on it can be seen there."""

    what: str
    chain: int
    sequence: int
    covered: bool
    refused: bool = False


Hand = Callable[[Connection, random.Random, Link], Awaitable[str]]


async def change(conn: Connection, chance: random.Random, at: Link) -> str:
    """One column of one row."""
    column = chance.choice(sorted(COLUMNS))
    await _change(conn, at, column)
    return f"{column} changed"


async def change_and_chain_anew(conn: Connection, chance: random.Random, at: Link) -> str:
    """One column of one row, and every hash after it computed anew."""
    column = chance.choice(sorted(set(COLUMNS) - CLEAR - {"created_at"}))
    await _change(conn, at, column)
    await chain_anew(conn, at.chain)
    return f"{column} changed and chained anew"


async def remove(conn: Connection, chance: random.Random, at: Link) -> str:
    """A row; its link stays."""
    await conn.execute("DELETE FROM audit_log WHERE event_id = $1", at.event_id)
    return "row removed"


async def remove_and_chain_anew(
    conn: Connection,
    chance: random.Random,
    at: Link,
) -> str:
    """A row and its link; those after it move up."""
    await conn.execute("DELETE FROM audit_log WHERE event_id = $1", at.event_id)
    await conn.execute(
        "DELETE FROM audit_chain WHERE chain = $1 AND sequence = $2", at.chain, at.sequence
    )
    await chain_anew(conn, at.chain)
    return "row removed and chained anew"


async def cut_off(conn: Connection, chance: random.Random, at: Link) -> str:
    """A row and all after it, and the head set back."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM audit_chain WHERE chain = $1 AND sequence >= $2 RETURNING event_id
        )
        DELETE FROM audit_log USING gone WHERE audit_log.event_id = gone.event_id
        """,
        at.chain,
        at.sequence,
    )
    await chain_anew(conn, at.chain)
    return "end cut off"


async def slip_in(conn: Connection, chance: random.Random, at: Link) -> str:
    """An event that never was, with the next offset, in the ordinary way."""
    await _insert(conn, at, moved=50_000, event_id=uuid4())
    return f"row slipped in ({chance.random():.3f})"


async def slip_in_beside_the_chain(conn: Connection, chance: random.Random, at: Link) -> str:
    """The same, past the trigger."""
    await conn.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_chain")
    return await slip_in(conn, chance, at)


async def repeat_at_another_time(
    conn: Connection,
    chance: random.Random,
    at: Link,
) -> str:
    """The same id once more."""
    await _insert(conn, at, moved=0, event_id=at.event_id)
    return "row repeated at another time"


async def swap(conn: Connection, chance: random.Random, at: Link) -> str:
    """Who and what of two rows."""
    rows = await conn.fetch(
        "SELECT event_id, user_id, details::text, payload FROM audit_log WHERE event_id <> $1 "
        "AND payload <> (SELECT payload FROM audit_log WHERE event_id = $1) "
        "ORDER BY event_id",
        at.event_id,
    )
    other = chance.choice(rows)
    await conn.execute(
        "UPDATE audit_log SET payload = $2, details = $3::text::jsonb WHERE event_id = $1",
        at.event_id,
        other["payload"],
        other["details"],
    )
    return "content of another row"


RULERS: tuple[Hand, ...] = (
    change,
    change_and_chain_anew,
    remove,
    remove_and_chain_anew,
    cut_off,
    slip_in,
    slip_in_beside_the_chain,
    repeat_at_another_time,
    swap,
)
"""What the superuser and the owner can do."""
WRITERS: tuple[Hand, ...] = (slip_in, repeat_at_another_time)
"""What the audit worker's role can do."""


async def chain_anew(conn: Connection, chain: int) -> None:
    """Numbers, hashes and head of a chain, of what is in the log now."""
    rows = await conn.fetch(
        """
        SELECT sequence, audit_chain.event_id, audit_chain.created_at, user_id, action, type,
               correlation_id, topic, partition, "offset", headers::text, details::text, key,
               payload
          FROM audit_chain JOIN audit_log USING (event_id, created_at)
         WHERE chain = $1
         ORDER BY sequence
        """,
        chain,
    )
    await conn.execute("DELETE FROM audit_chain WHERE chain = $1", chain)
    last, links = START, []
    for number, row in enumerate(rows, 1):
        last = link(last, leaf(dict(row)))
        links.append((chain, number, row["event_id"], row["created_at"], last))
    await conn.executemany(
        "INSERT INTO audit_chain (chain, sequence, event_id, created_at, hash) "
        "VALUES ($1, $2, $3, $4, $5)",
        links,
    )
    await conn.execute(
        "UPDATE audit_heads SET length = $2, hash = $3 WHERE chain = $1", chain, len(links), last
    )


async def _change(conn: Connection, at: Link, column: str) -> None:
    before = await conn.fetchval(
        f'SELECT "{column}" FROM audit_log WHERE event_id = $1',  # of our list
        at.event_id,
    )
    cast = {"details": "::text::jsonb", "headers": "::text::jsonb", "ip_address": "::text::inet"}
    await conn.execute(
        f'UPDATE audit_log SET "{column}" = $2{cast.get(column, "")} WHERE event_id = $1',
        at.event_id,
        COLUMNS[column](before),
    )


async def _insert(conn: Connection, at: Link, *, moved: int, event_id: UUID) -> None:
    """A copy of a row under this id, that many offsets later. The role need not read the log."""
    role = await conn.fetchval("SELECT current_user")
    await conn.execute("RESET ROLE")
    row = dict(
        await conn.fetchrow(
            """
            SELECT user_id, action, details::text, ip_address, user_agent, created_at, event_id,
                   type, correlation_id, topic, partition, "offset", key, headers::text, payload,
                   recorded_at
              FROM audit_log
             WHERE event_id = $1
            """,
            at.event_id,
        )
    )
    row |= {
        "event_id": event_id,
        "offset": row["offset"] + moved,
        "created_at": row["created_at"] + timedelta(microseconds=1),
    }
    await conn.execute(f"SET LOCAL ROLE {role}")
    await conn.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent, created_at,
                               event_id, type, correlation_id, topic, partition, "offset", key,
                               headers, payload, recorded_at)
        VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                $14::text::jsonb, $15, $16)
        """,
        *row.values(),
    )
