"""Every event topic → the audit log, in bulk."""

import asyncio

import asyncpg
import structlog
from pydantic import Field

from contracts.topics import AUDIT
from infra.audit.checkpoints import CheckpointSigner
from infra.composition.process import Process
from infra.messaging.consumer_policy import Policy
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dispatch import dispatch_in_bulk
from infra.messaging.record_reader import RawEventReader
from infra.messaging.restored_database import Memory
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.runtime.settings import BusSettings, Key
from workers.audit import store
from workers.audit.checkpoints import Checkpoints
from workers.audit.handlers import HANDLES, AuditDeps

log = structlog.get_logger(__name__)

POLICY = Policy(
    max_records=2_000, in_bulk=True, ordered=True, fetch_min_bytes=65_536, fetch_max_wait_ms=250
)
"""Larger batches cost less, and no client waits for a row of the log."""
RETRY_SECONDS = 60.0
DAY_SECONDS = 86_400.0


class AuditSettings(BusSettings):
    """The audit worker's own: the key that signs checkpoints, and how often it does."""

    audit_private_key: Key
    audit_checkpoint_seconds: float = Field(default=60.0, ge=1.0, le=86_400.0)


async def start(process: Process, settings: AuditSettings) -> None:
    """Start the consumer, the checkpoints and the making of partitions."""
    process.shutdown.background("partitions", keep_partitions(process.pool))
    checkpoints = Checkpoints(
        process.pool,
        process.producer,
        CheckpointSigner(settings.audit_private_key),
        seconds=settings.audit_checkpoint_seconds,
    )
    process.shutdown.on_shutdown("last checkpoint", checkpoints.make)
    process.shutdown.background("checkpoints", checkpoints.run())
    deps = AuditDeps(pool=process.pool, memory=Memory())
    await process.consume(
        AUDIT,
        dispatch_in_bulk(HANDLES, deps),
        transactions=None,
        policy=POLICY,
        reader=RawEventReader(),
        memory=deps.memory,
        dead_letter_status=DeadLetterStatus(process.pool, AUDIT.name),
    )


async def keep_partitions(pool: Pool) -> None:
    """Months ahead have their partition; until one is made, the default partition takes rows."""
    while True:
        try:
            async with pool.acquire() as conn:
                await store.ensure_partitions(conn)
        except (*UNAVAILABLE, asyncpg.PostgresError) as error:
            log.warning("partitions_not_made", error=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await asyncio.sleep(DAY_SECONDS)
