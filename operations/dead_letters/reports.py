"""What a run did about dead letters, as one event of the audit log instead of one for each batch.

Marks carry the id of the event that will report them. It is published when a box is done, after
a thousand dead letters or a minute, and in the end, however the run ends. A run that was killed
leaves marks that no event reports; the next one does, under the id that they have, at the
time that they have: published twice, it is the same event.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from uuid import UUID

import asyncpg

from contracts.ids import uuid7
from contracts.operator_events import OpsDiscarded, OpsRedriven
from infra.postgres.pool import UNAVAILABLE, Connection, Pool
from operations import ops_events
from operations.dead_letters import actions
from operations.dead_letters.topic import DeadLetterTopic
from operations.errors import OpsError
from operations.record_producer import Sender

MAX_DEAD_LETTERS = 1_000
MAX_SECONDS = 60.0

_EVENTS = {"redriven": OpsRedriven, "discarded": OpsDiscarded}


class Reports:
    """The events of one run. `session` holds the lock that says that this run is alive."""

    def __init__(self, pool: Pool, session: Connection, sender: Sender) -> None:
        self._pool = pool
        self._session = session
        self._sender = sender
        self._event_id: UUID | None = None
        self._box: DeadLetterTopic | None = None
        self._dead_letters = 0
        self._since = 0.0

    async def event_for(self, dlq_topic: DeadLetterTopic, dead_letters: int) -> UUID:
        """The id under which the next dead letters of a box will be told."""
        full = (
            self._dead_letters + dead_letters > MAX_DEAD_LETTERS
            or monotonic() - self._since > MAX_SECONDS
        )
        if self._event_id and (full or dlq_topic != self._box):
            await self.report()
        if self._event_id is None:
            self._event_id, self._box = uuid7(), dlq_topic
            self._dead_letters, self._since = 0, monotonic()
            await self._session.execute(_LOCK, str(self._event_id))
        self._dead_letters += dead_letters
        return self._event_id

    async def report(self) -> None:
        """Publish the event of what was done since the last one, if anything was."""
        if self._event_id:
            await self._report(self._event_id)
            await self._session.execute(_UNLOCK, str(self._event_id))
            self._event_id = None

    async def report_what_was_left(self) -> None:
        """Of runs that were killed; what a run that is alive has still to tell is left to it."""
        for event_id in await actions.untold(self._session):
            if await self._session.fetchval(_TRY_LOCK, str(event_id)):
                await self._report(event_id)
                await self._session.execute(_UNLOCK, str(event_id))

    async def _report(self, event_id: UUID) -> None:
        async with self._pool.acquire() as conn:
            done = await actions.done_under(conn, event_id)
            if not done:
                return
            kind = _EVENTS[done[0]["action"]]
            event = kind(
                operator=done[0]["operator"],
                reason=done[0]["reason"],
                dead_letters=done[0]["topic"],
                offsets=[row["offset"] for row in done],
                message_ids=[row["message_id"] for row in done if row["message_id"]],
            )
            time = max(row["acted_at"] for row in done)
            about = done[0]["topic"]
            await ops_events.record(self._sender, event, about=about, id_=event_id, time=time)
            await actions.mark_reported(conn, event_id)


@asynccontextmanager
async def reporting(pool: Pool, sender: Sender) -> AsyncIterator[Reports]:
    """Everything is told on leaving, also when the run was stopped or failed."""
    async with pool.acquire() as session:
        reports = Reports(pool, session, sender)
        await reports.report_what_was_left()
        try:
            yield reports
        except BaseException:
            # What cannot be told now is told by the next run.
            with suppress(OpsError, asyncpg.PostgresError, *UNAVAILABLE):
                await reports.report()
            raise
        await reports.report()


_LOCK = "SELECT pg_advisory_lock(hashtextextended('qnt9.report.' || $1, 0))"
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('qnt9.report.' || $1, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('qnt9.report.' || $1, 0))"
