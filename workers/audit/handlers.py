"""Events into the log, a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from contracts.topics import AUDIT
from infra.messaging.dispatch import BulkHandlers
from infra.messaging.inbound import InboundMessage, RawEvent
from infra.messaging.restored_database import Memory
from infra.postgres.pool import Pool
from workers.audit import store
from workers.audit.rules import Entry, entry_of, open_client, sealed_client, split_contradictions

log = structlog.get_logger(__name__)

CONTRADICTIONS = Counter(
    "qnt9_audit_contradictions_total",
    "Records with the id of an event that the log has with another time or content",
)


@dataclass(frozen=True, kw_only=True)
class AuditDeps:
    """What the slice works with."""

    pool: Pool
    memory: Memory


async def record_events(deps: AuditDeps, batch: Sequence[InboundMessage[RawEvent]]) -> None:
    """Add what the log does not have, in one transaction.

    Whoever erases a person waits for what their key has opened to be written. An event whose id
    stands for something else already is no row: it is logged and counted.
    Raises `RestoredDatabaseError` when the log was replaced by an older one, and `AwaitedError`
    while the cause of an event, which makes its key, is not handled again yet.
    """
    sealed = {r.envelope.id: sealed_client(r) for r in batch}
    wanted = {each.key_id for each in sealed.values() if each and each.key_id}
    async with deps.pool.acquire() as conn, conn.transaction():
        await deps.memory.confirm(conn, AUDIT.name, [r.envelope.id for r in batch])
        stored = await store.stored(conn, [r.envelope.id for r in batch])
        entries, contradicting = split_contradictions(map(entry_of, batch), stored)
        keys = await store.hold_keys(conn, wanted) if wanted else {}
        await store.insert(conn, [(e, open_client(sealed[e.event_id], keys)) for e in entries])
    deps.memory.remember(batch[-1].envelope.id)
    for entry in contradicting:
        _alarm(entry)


def _alarm(entry: Entry) -> None:
    CONTRADICTIONS.inc()
    log.error(
        "event_contradicts_log",
        event_id=str(entry.event_id),
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        hint="another event was published under this id: run `qnt9 audit verify`",
    )


HANDLES: BulkHandlers[AuditDeps] = {RawEvent: record_events}
