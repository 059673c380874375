"""One transaction: inbox rows, the slice's own SQL, outbox rows; then the outcomes are announced.

async with transactions.begin() as tx:
user = await store.lock_user(tx.conn, …)
tx.emit(UserEmailVerified(…), about=user.id, caused_by=received, key=user.key)
tx.complete(received, Succeeded())
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events import Event
from contracts.ids import derived_uuid7, uuid7
from contracts.message import Message
from contracts.outcomes import Outcome, Rejected, outcome_of
from contracts.personal import Personal, PersonalKey
from contracts.topics import CARRIED_BY
from infra.messaging import restored_database
from infra.messaging.access_changes import AccessChanges
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.inbound import InboundMessage, Origin
from infra.messaging.message_rows import ConcurrentDeliveryError, Emitted, Settled, save
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier
from infra.observability.tracing import TRACING, current_traceparent
from infra.postgres.pool import Connection, Pool
from infra.runtime.clock import CLOCK

__all__ = ["ConcurrentDeliveryError", "Settled", "Transaction", "Transactions"]


class Transaction:
    """What one transaction has to say besides the slice's own SQL."""

    def __init__(self, conn: Connection, consumer: str) -> None:
        self.conn = conn
        self._consumer = consumer
        self._source = f"urn:qnt9:{consumer}"
        self.settled: list[Settled] = []
        self.emitted: list[Emitted] = []
        self._emitted_by: Counter[tuple[UUID, str, str]] = Counter()
        self.announcements: list[Announcement] = []
        self.changes = AccessChanges()
        self._refused: list[datetime] = []
        self._succeeded: dict[UUID, datetime] = {}

    def complete(
        self,
        received: InboundMessage[Message],
        outcome: Outcome | None = None,
        *,
        fingerprint: str | None = None,
    ) -> None:
        """Settle a message, with its outcome.

        `fingerprint` is given where it was inside the seal.
        """
        cause = received.envelope
        fingerprint = fingerprint or cause.fingerprint
        data = outcome.to_json() if outcome else None
        self.settled.append(Settled(cause.id, cause.type, cause.actor_id, fingerprint, data))
        if isinstance(outcome, Rejected):
            self._refused.append(cause.time)
        elif outcome:
            self._succeeded[cause.id] = cause.time
        if outcome and cause.reply_to:
            self.announcements.append(Announcement(cause.reply_to, cause.id, outcome, fingerprint))

    async def happened(self, received: InboundMessage[Message]) -> bool:
        """Do what `Transactions.happened` does, within the transaction."""
        return await restored_database.has_happened(self.conn, self._consumer, received)

    def session_ended(self, session_id: UUID) -> None:
        """Tell every gateway that a session has ended, once this is committed."""
        self.changes.sessions.add(session_id)

    def user_changed(self, user_id: UUID) -> None:
        """Tell every gateway, once committed, that a user's `version` was raised or the user ended.

        The statement that does either sets `updated_at`.
        """
        self.changes.users.add(user_id)

    def emit(
        self,
        event: Event,
        *,
        about: UUID | str,
        caused_by: InboundMessage[Message] | None = None,
        key: PersonalKey | None = None,
        event_id: UUID | None = None,
    ) -> UUID:
        """Queue an event about one aggregate; personal fields are encrypted under `key`.

        Returns the event's id. It is derived from the message that caused it, so that handling
        that message again gives the same event; without a cause it is `event_id`, or random.
        """
        cause = caused_by.envelope if caused_by else None
        if caused_by and caused_by.client and key and event.client is None:
            client = Personal(caused_by.client.to_json())
            event = event.model_copy(update={"client": client})
        event_id = self._derived_id(cause, event, about) if cause else event_id or uuid7()
        traceparent = TRACING.created(
            event.type,
            str(event_id),
            cause.traceparent if cause else current_traceparent(),
            cause_id=str(cause.id) if cause else "",
        )
        envelope = Envelope(
            id=event_id,
            source=self._source,
            type=event.type,
            time=CLOCK.now(),
            subject=str(about),
            correlation_id=cause.correlation_id if cause else str(event_id),
            causation_id=str(cause.id) if cause else "",
            actor_id=cause.actor_id if cause else None,
            traceparent=traceparent,
        )
        topic, _, suffix = CARRIED_BY[type(event)].name.rpartition(".")
        assert suffix == "events", f"{event.type} is not carried by an event topic"
        payload = event.model_dump_json(context={"personal": key})
        self.emitted.append(Emitted(envelope, topic, str(about), payload))
        return event_id

    def without_effect(self) -> list[datetime]:
        """Return the times of the commands that were refused, or that made no event."""
        causes = {cause for cause, _, _ in self._emitted_by}
        made_nothing = (time for id_, time in self._succeeded.items() if id_ not in causes)
        return [*self._refused, *made_nothing]

    def _derived_id(self, cause: Envelope, event: Event, about: UUID | str) -> UUID:
        """Of the cause, the consumer, what the event says of whom, and which of its kind it is."""
        kind = (cause.id, event.type, str(about))
        position = self._emitted_by[kind]
        self._emitted_by[kind] += 1
        return derived_uuid7(cause.time, self._source, *kind, position)


class Transactions:
    """Begins the transactions of one consumer."""

    def __init__(
        self, pool: Pool, consumer: str, outcome_notifier: OutcomeNotifier | None = None
    ) -> None:
        self._pool = pool
        self._consumer = consumer
        self._outcome_notifier = outcome_notifier
        self.memory = restored_database.Memory()
        self.dead_letter_status = DeadLetterStatus(pool, consumer)
        self.awaited: frozenset[UUID] = frozenset()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Open a transaction that commits on leaving the block and then announces its outcomes.

        Raises `ConcurrentDeliveryError`, and `AwaitedError` a while after it was found: what has to
        be handled first may be handled side by side.
        """
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                tx = Transaction(conn, self._consumer)
                yield tx
                restored_database.refuse_awaited(self.awaited, tx.settled)
                if times := tx.without_effect():
                    await restored_database.refuse_early(conn, self._consumer, times)
                await save(conn, self._consumer, tx.settled, tx.emitted)
        except restored_database.AwaitedError:
            await asyncio.sleep(restored_database.AWAITED_SECONDS)
            raise
        if tx.settled:
            self.memory.remember(tx.settled[-1].message_id)
        if self._outcome_notifier and (tx.announcements or tx.changes):
            await self._outcome_notifier.announce(tx.announcements, tx.changes)

    async def handled(self, received: Iterable[InboundMessage[Message]]) -> dict[UUID, Settled]:
        """Return which of these messages this consumer has handled before, by id.

        Those that are events whose cause has to be handled again before them are in `awaited` from
        then on. Raises `RestoredDatabaseError` when the database no longer knows what was handled
        or set aside last.
        """
        ids = [r.envelope.id for r in received]
        last = self.memory.last
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(
                """
                SELECT message_id, type, actor_id, fingerprint, outcome, false AS awaited
                  FROM inbox
                 WHERE consumer = $1 AND message_id = ANY($2)
                 UNION ALL
                SELECT id, '', NULL, NULL, NULL, true
                  FROM recovered_events
                 WHERE id = ANY($2) AND awaited AND repeated_at IS NULL AND given_up_at IS NULL
                """,
                self._consumer,
                [*ids, last] if last else ids,
            )
            found = {row["message_id"]: Settled(*row[:5]) for row in rows if not row["awaited"]}
            if last and last not in found:  # it may have been set aside
                if await restored_database.unknown_messages(conn, self._consumer, [last]):
                    raise self.memory.contradict()
                last = None
        awaited = (row["message_id"] for row in rows if row["awaited"])
        self.awaited = frozenset(id_ for id_ in awaited if id_ not in found)
        if last and last not in ids:
            del found[last]
        return found

    async def happened(self, received: InboundMessage[Message]) -> bool:
        """Return whether a message was handled before the database was restored.

        What has passed since, its deadline for example, is no reason to decide otherwise.
        """
        async with self._pool.acquire() as conn:
            return await restored_database.has_happened(conn, self._consumer, received)

    async def announce_again(
        self, duplicates: Iterable[tuple[InboundMessage[Message], Settled]]
    ) -> None:
        """Tell whoever waits for a duplicate what became of the first."""
        if self._outcome_notifier:
            await self._outcome_notifier.announce(
                Announcement(
                    received.envelope.reply_to,
                    received.envelope.id,
                    outcome_of(settled.outcome),
                    settled.fingerprint,
                )
                for received, settled in duplicates
                if settled.outcome and received.envelope.reply_to
            )

    async def mark_dead_lettered(self, envelope: Envelope, reason: str) -> None:
        """Remember that a command waits as a dead letter, so that its status can say so."""
        await self.mark_all_dead_lettered([(envelope, reason)])

    async def mark_all_dead_lettered(self, parked: Sequence[tuple[Envelope, str]]) -> None:
        """Do what `mark_dead_lettered` does for many commands at once."""
        await self.dead_letter_status.mark_all_dead_lettered(parked)

    async def complete_unhandled(
        self, envelopes: Iterable[Envelope], outcome: Rejected | None = None
    ) -> None:
        """Settle messages without their handler, unless handled before. Tell whoever waits."""
        unread: dict[UUID, InboundMessage[Message]] = {
            each.id: InboundMessage(each, Message(), None, Origin("", 0, 0, 0, None))
            for each in envelopes
        }
        for known in await self.handled(unread.values()):
            unread.pop(known, None)
        if unread:
            async with self.begin() as tx:
                for received in unread.values():
                    tx.complete(received, outcome)
