"""Where the chains end, signed and put where the database cannot reach: `audit.checkpoints`."""

import asyncio

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts.envelope import Envelope
from contracts.events import AuditCheckpointed
from contracts.ids import uuid7
from contracts.topics import AUDIT_CHECKPOINTS
from infra.audit.checkpoints import Checkpoint, CheckpointSigner
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError, Producer
from infra.observability.telemetry import CHECKPOINT
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.runtime.clock import CLOCK
from workers.audit import store

log = structlog.get_logger(__name__)

SOURCE = "urn:qnt9:audit"
ACK_SECONDS = 10.0
RETRY_SECONDS = 5.0


class Checkpoints:
    """Signs where the chains end, from time to time and when nothing more is written."""

    def __init__(
        self, pool: Pool, producer: Producer, signer: CheckpointSigner, *, seconds: float
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._signer = signer
        self._seconds = seconds
        self._last = b""

    async def run(self) -> None:
        """The first one as soon as there is something to sign."""
        while True:
            signed = await self.make() and self._last
            await asyncio.sleep(self._seconds if signed else min(RETRY_SECONDS, self._seconds))

    async def make(self) -> bool:
        """One, unless nothing was added since the last one of this process; False if it failed."""
        try:
            async with self._pool.acquire() as conn:
                checkpoint = Checkpoint(CLOCK.now(), await store.heads(conn))
            if checkpoint.entries and checkpoint.root != self._last:
                await self._publish(checkpoint)
                self._last = checkpoint.root
                CHECKPOINT.set(checkpoint.at.timestamp())
                log.info("checkpoint", entries=checkpoint.entries, root=checkpoint.root.hex())
        except (
            *UNAVAILABLE,
            asyncpg.PostgresError,
            BrokerUnavailableError,
            IndeterminateError,
            KafkaError,
        ) as error:
            log.warning("no_checkpoint", error=type(error).__name__, detail=str(error)[:200])
            return False
        return True

    async def _publish(self, checkpoint: Checkpoint) -> None:
        event = AuditCheckpointed(
            root=checkpoint.root.hex(),
            entries=checkpoint.entries,
            signed=self._signer.sign(checkpoint),
        )
        key = AUDIT_CHECKPOINTS.key
        event_id = uuid7()
        envelope = Envelope(
            id=event_id,
            source=SOURCE,
            type=event.type,
            time=checkpoint.at,
            subject=key,
            correlation_id=str(event_id),
        )
        await self._producer.publish(
            AUDIT_CHECKPOINTS.name,
            key=key.encode(),
            value=event.model_dump_json().encode(),
            headers=envelope.to_headers(),
            seconds=ACK_SECONDS,
        )
