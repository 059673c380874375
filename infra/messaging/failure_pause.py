"""The pause of a consumer whose handler fails on messages of many senders, and how it ends."""

from collections.abc import Awaitable, Callable

import structlog

from infra.messaging.batch_items import Item, by_key, probe
from infra.messaging.batch_progress import Batch, Failure
from infra.messaging.call_result import CallResult, Failed
from infra.messaging.consumer_controls import Controls
from infra.messaging.failure_guard import FailureGuard, count_sources
from infra.messaging.inbound import RetryableError

log = structlog.get_logger(__name__)

MAX_PROBES = 20
MIN_PROBES = 3
"""With fewer different senders to try, a probe says nothing about the handler."""


class GuardTrippedError(RetryableError):
    """The handler fails on messages of many senders: nothing more is set aside for that."""


class FailurePause:
    """Is active while the guard is tripped: by failures, an operator or another process."""

    def __init__(self, consumer: str, controls: Controls) -> None:
        self._consumer = consumer
        self._controls = controls
        self.guard = FailureGuard()

    @property
    def is_active(self) -> bool:
        """Whether messages are only probed."""
        return self.guard.tripped

    def follow_controls(self) -> None:
        """Be paused or not as the database says: another process or an operator may have."""
        if self._controls.changed:
            self._controls.changed = False
            if self._controls.paused:
                self.guard.trip()
            else:
                self.guard.reset()

    async def count_failure(self, item: Item, failed: Failed) -> None:
        """Count a message that the handler failed on for good.

        Pauses the consumer and raises `GuardTrippedError` when those of too many senders fail.
        """
        if self.guard.fail(item.source):
            reason = f"messages of many senders fail, the last with {failed.reason}"
            await self._controls.pause(reason)
            raise GuardTrippedError("the handler fails on messages of many senders")

    async def probe(
        self,
        items: list[Item],
        handle: Callable[[list[Item]], Awaitable[CallResult]],
        batch: Batch,
    ) -> list[Item]:
        """Find out whether what tripped the guard is gone. Returns what is left to do of the batch.

        Raises `GuardTrippedError` when it is not, unless too few senders were there to tell: then
        those that fail are set aside, so that they hold nobody up. Raises `DOWN` errors.
        """
        if not items:
            return []
        few = count_sources([item.source for item in items]) < MIN_PROBES
        tried = items if few else [group[0] for group in by_key(items)[:MAX_PROBES]]
        failed = await probe(tried, handle, batch)
        log.info("consumer_probed", consumer=self._consumer, tried=len(tried), failed=len(failed))
        if len(failed) * 2 <= len(tried):
            self.guard.reset()
            await self._controls.resume()
            done = {id(item) for item in tried} - {id(item) for item, _ in failed}
            return [item for item in items if id(item) not in done]
        if not few:
            raise GuardTrippedError("the handler still fails on messages of many senders")
        for item, reason in failed:
            batch.set_aside(item.record, Failure(reason, "handler"))
        return []
