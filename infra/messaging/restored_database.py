"""What consumers have to know of a database that was restored from a backup (docs/recovery.md)."""

import asyncio
import time
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from contracts.message import Message
from contracts.topics import Consumer
from infra.messaging.inbound import InboundMessage, RetryableError
from infra.postgres.pool import Connection

REMEMBERED_SECONDS = 14 * 86_400
"""How long after a message was handled its row is certainly there (ADR 15)."""
AWAITED_SECONDS = 0.5
"""How long a consumer waits before it looks again whether what it needs has been handled."""


HANDLED_WITHIN = timedelta(minutes=1)
"""How late a command without a deadline is executed at most, in ordinary operation."""


class RestoredDatabaseError(RetryableError):
    """The database has forgotten what this process wrote: it was replaced by an older one."""


class AwaitedError(RetryableError):
    """On a recovered database, something else has to be handled again before this message.

    That is a matter of other consumers, which make progress: it is tried again soon.
    """

    grows_backoff = False


class Memory:
    """The last message that a consumer has handled: the database has to know it as well."""

    def __init__(self) -> None:
        self._last: tuple[UUID, float] | None = None
        self.contradicted = asyncio.Event()
        """Set once the database did not know it."""

    @property
    def last(self) -> UUID | None:
        """None when there is none, or when retention may have removed its row."""
        if self._last and time.monotonic() - self._last[1] < REMEMBERED_SECONDS:
            return self._last[0]
        return None

    def remember(self, message_id: UUID) -> None:
        """Remember the message that was handled last."""
        self._last = message_id, time.monotonic()

    def contradict(self) -> RestoredDatabaseError:
        """The error to raise when the database does not know the last message."""
        self.contradicted.set()
        return RestoredDatabaseError("the database is older than what was written to it")

    async def confirm(self, conn: Connection, consumer: str, ids: Collection[UUID] = ()) -> None:
        """Raise `RestoredDatabaseError` when the database does not know the last message.

        Raises `AwaitedError` when one of these messages is an event whose cause is to be handled
        again first.
        """
        last = self.last
        forgotten, awaited = await conn.fetchrow(
            """
            SELECT EXISTS (SELECT FROM unknown_messages($1, $2)),
                   EXISTS (SELECT FROM recovered_events
                            WHERE id = ANY($3)
                              AND awaited AND repeated_at IS NULL AND given_up_at IS NULL)
            """,
            consumer,
            [last] if last else [],
            list(ids),
        ) or (False, False)
        if forgotten:
            raise self.contradict()
        if awaited:
            raise AwaitedError("the cause of an event has to be handled again before it")


async def unknown_messages(conn: Connection, consumer: str, ids: list[UUID]) -> set[UUID]:
    """Which of these messages the consumer has neither handled nor set aside."""
    rows = await conn.fetch("SELECT id FROM unknown_messages($1, $2) AS id", consumer, ids)
    return {row["id"] for row in rows}


async def has_happened(conn: Connection, consumer: str, received: InboundMessage[Message]) -> bool:
    """Whether a message was handled in time before the database was restored.

    Its events are published. Or its group may have handled it, and events of its time may not have
    been published yet: if it was in time, they are younger than all that were published.
    """
    cause, origin = received.envelope, received.origin
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM recovered_events WHERE cause_id = $1 AND consumer = $2)
            OR EXISTS (
                   SELECT FROM recoveries
                    WHERE finished_at IS NULL AND $8 < began_at
                      AND (points #>> ARRAY[$3, $4, $5::int::text, '1'])::bigint > $6
                      AND $7 > coalesce(published_until, '-infinity')
               )
        """,
        cause.id,
        consumer,
        Consumer(consumer).group,
        origin.topic,
        origin.partition,
        origin.offset,
        cause.deadline or cause.time + HANDLED_WITHIN,
        cause.time,
    )
    return found


class HasMessageId(Protocol):
    """Something about one message."""

    @property
    def message_id(self) -> UUID:
        """Of the message."""
        ...


async def refuse_early(conn: Connection, consumer: str, times: Collection[datetime]) -> None:
    """Raise `AwaitedError` when a command of one of these times may depend on earlier ones.

    For commands that were refused or changed nothing: while a recovery is under way, what they
    need may not be made again yet, and what they made before may never have been published.
    """
    early: bool = await conn.fetchval(
        """
        SELECT EXISTS (
                   SELECT FROM recoveries, unnest($2::timestamptz[]) AS command_time
                    WHERE finished_at IS NULL AND command_time < began_at
                      AND command_time > coalesce((horizons ->> $1)::timestamptz, '-infinity')
               )
        """,
        consumer,
        list(times),
    )
    if early:
        raise AwaitedError("other consumers have to handle earlier commands again first")


def refuse_awaited(awaited: Collection[UUID], settled: Iterable[HasMessageId]) -> None:
    """Raise `AwaitedError` when one of these is an event whose cause is not handled again yet."""
    if awaited and any(each.message_id in awaited for each in settled):
        raise AwaitedError("the cause of an event has to be handled again before it")
