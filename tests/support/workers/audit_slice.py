"""The audit's batch work on a real database: records in, rows out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.envelope import Envelope
from contracts.ids import uuid7
from infra.kafka.records import Record
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.record_reader import RawEventReader
from infra.messaging.restored_database import Memory
from infra.postgres.pool import Pool
from tests.support.message_builders import NOW, ARecord, MemoryDeadLetters, a_record, no_sleep
from tests.support.postgres import Database
from workers.audit.consumer import POLICY
from workers.audit.handlers import HANDLES, AuditDeps


def an_envelope_of_type(
    event_type: str,
    *,
    id: UUID | None = None,  # noqa: A002
    time: datetime = NOW,
) -> Envelope:
    return Envelope(
        id=id or uuid7(),
        source="urn:qnt9:test",
        type=event_type,
        time=time,
        correlation_id="a-request",
    )


def an_event_record(
    event_type: str = "qnt9.watchlist.item_added.v1",
    data: Any = None,
    *,
    key: str = "a key",
    time: datetime = NOW,
) -> ARecord:
    """An event as the relay publishes it."""
    return a_record(
        orjson.dumps({} if data is None else data),
        envelope=an_envelope_of_type(event_type, time=time),
        topic="watchlists.events",
        key=key,
    )


@dataclass
class Audit:
    """What the process does with a batch."""

    database: Database
    work: BatchProcessor
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)

    async def take(self, *records: Record) -> None:
        await self.work.take(records)

    async def rows(self) -> Sequence[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM audit_log ORDER BY event_id")


def an_audit(database: Database, pool: Pool) -> Audit:
    dead_letters = MemoryDeadLetters()
    work = BatchProcessor(
        "audit",
        dispatch_in_bulk(HANDLES, AuditDeps(pool=pool, memory=Memory())),
        reader=RawEventReader(),
        dead_letters=dead_letters,
        transactions=None,
        policy=POLICY,
        sleep=no_sleep,
        touch=lambda: None,
        dead_letter_status=DeadLetterStatus(pool, "audit"),
    )
    return Audit(database, work, dead_letters)
