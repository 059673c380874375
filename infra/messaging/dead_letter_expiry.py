"""Commands that have waited as dead letters for too long are given up by their consumer.

Each gets an outcome, which its status then says, and an event, which the audit log keeps, before
Kafka removes the dead letter. It can no longer be redriven: its message is not parked any more.
"""

import asyncpg
import structlog

from contracts.envelope import Envelope
from contracts.events import UserCommandExpired
from contracts.message import Message
from contracts.outcomes import Rejected
from contracts.topics import DEAD_LETTERS_SETTLED
from infra.messaging.inbound import InboundMessage, Origin
from infra.messaging.transaction import ConcurrentDeliveryError, Transactions
from infra.postgres.pool import TRANSIENT, UNAVAILABLE, Connection
from infra.postgres.retention import EVERY_SECONDS
from infra.runtime.backoff import sleep_unevenly

log = structlog.get_logger(__name__)

AT_ONCE = 100
EXPIRED = Rejected(
    "discarded", f"It could not be executed within {DEAD_LETTERS_SETTLED.days} days."
)


async def expire(transactions: Transactions, consumer: str, *, at_once: int = AT_ONCE) -> int:
    """Give up what has waited for too long, a batch a transaction. Returns how many there were."""
    expired, rows = 0, at_once
    while rows >= at_once:
        rows = await _expire_some(transactions, consumer, at_once)
        expired += rows
    return expired


async def _expire_some(transactions: Transactions, consumer: str, most: int) -> int:
    async with transactions.begin() as tx:
        parked = await _take(tx.conn, consumer, most)
        handled = await _handled(tx.conn, consumer, parked)
        for row in parked:
            if row["command_id"] in handled:
                continue
            received: InboundMessage[Message] = InboundMessage(
                Envelope(
                    id=row["command_id"],
                    source="",
                    type=row["type"],
                    time=row["parked_at"],
                    correlation_id=str(row["command_id"]),
                    actor_id=row["actor_id"],
                ),
                Message(),
                None,
                Origin("", 0, 0, 0, None),
            )
            event = UserCommandExpired(
                user_id=row["actor_id"],
                command_id=row["command_id"],
                command_type=row["type"],
                consumer=consumer,
                set_aside_at=row["parked_at"],
            )
            tx.complete(received, EXPIRED)
            tx.emit(event, about=row["actor_id"] or row["command_id"], caused_by=received)
    return len(parked)


async def keep_expiring(
    transactions: Transactions, consumer: str, *, every: float = EVERY_SECONDS
) -> None:
    """For ever, at times that no two processes share. What fails is tried again the next time."""
    while True:
        await sleep_unevenly(every)
        try:
            expired = await expire(transactions, consumer)
        except ConcurrentDeliveryError:
            continue
        except (*UNAVAILABLE, *TRANSIENT, asyncpg.PostgresError) as error:
            log.warning("commands_not_expired", consumer=consumer, error=type(error).__name__)
            continue
        if expired:
            log.warning("commands_expired", consumer=consumer, commands=expired)


async def _take(conn: Connection, consumer: str, most: int) -> list[asyncpg.Record]:
    return await conn.fetch(
        """
        WITH old AS (
            SELECT command_id
              FROM parked_commands
             WHERE consumer = $1 AND parked_at < now() - $2::interval
             ORDER BY parked_at
             LIMIT $3
        )
        DELETE FROM parked_commands USING old
         WHERE parked_commands.command_id = old.command_id
        RETURNING parked_commands.command_id, type, actor_id, parked_at
        """,
        consumer,
        DEAD_LETTERS_SETTLED,
        most,
    )


async def _handled(conn: Connection, consumer: str, parked: list[asyncpg.Record]) -> set[object]:
    """Those of them that were handled meanwhile, by a second delivery for example."""
    rows = await conn.fetch(
        "SELECT message_id FROM inbox WHERE consumer = $1 AND message_id = ANY($2)",
        consumer,
        [row["command_id"] for row in parked],
    )
    return {row["message_id"] for row in rows}
