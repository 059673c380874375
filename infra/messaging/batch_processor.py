"""One batch: bad records set aside, repeats announced again, the rest handled, failures isolated.

The handler gets everything at once (`in_bulk`), or one message at a time, keys side by side. A
bulk that fails is halved by whole keys until the bad keys are alone; their records are tried again
one by one, all keys side by side, after everybody else's. `DOWN` errors are nobody's fault: they
leave here, and what is not finished comes again. What is finished is written first: dead letters
together with the offsets behind them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from contracts.envelope import Envelope
from contracts.message import Message
from infra.kafka.records import Record
from infra.messaging.batch_items import Item, by_key
from infra.messaging.batch_progress import Batch, Failure
from infra.messaging.call_result import (
    Awaiting,
    CallResult,
    Failed,
    Handled,
    Poisoned,
    result_of,
)
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_policy import Policy
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dead_lettering import SettingAside
from infra.messaging.dead_letters import DeadLetters
from infra.messaging.failure_pause import FailurePause
from infra.messaging.handler_calls import Handle, call
from infra.messaging.inbound import InboundMessage, RefusedInputError, traced_of
from infra.messaging.record_reader import Reader, Refused, Unreadable, Unwanted
from infra.messaging.transaction import Transactions
from infra.observability.telemetry import RECORDS
from infra.observability.trace_context import trace_id_of
from infra.observability.tracing import TRACING

log = structlog.get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]


class BatchProcessor:
    """What one consumer does with a batch. Raises `DOWN` errors, alone or in a group."""

    def __init__(
        self,
        name: str,
        handle: Handle,
        *,
        reader: Reader,
        dead_letters: DeadLetters,
        transactions: Transactions | None,
        policy: Policy,
        sleep: Sleep,
        touch: Callable[[], None],
        controls: Controls | None = None,
        dead_letter_status: DeadLetterStatus | None = None,
    ) -> None:
        self._name = name
        self._attributes = {"messaging.system": "kafka", "messaging.consumer.group.name": name}
        self._handle = handle
        self._reader = reader
        self._transactions = transactions
        self._policy = policy
        self._sleep = sleep
        self._touch = touch
        self.controls = controls or Controls(name)
        self._pause = FailurePause(name, self.controls)
        if transactions and dead_letter_status is None:
            dead_letter_status = transactions.dead_letter_status
        self._aside = SettingAside(
            name,
            dead_letters,
            transactions,
            dead_letter_status=dead_letter_status,
            controls=self.controls,
            touch=touch,
        )

    async def take(self, records: Sequence[Record]) -> None:
        """Handle all records, or set them aside as acknowledged dead letters.

        Raises `DOWN` errors.
        """
        await self.process(Batch(records))

    async def process(self, batch: Batch) -> None:
        """Handle a batch as `take` does. What is finished is written also when it raises."""
        held: Exception | None = None
        try:
            await self._handle_all(batch)
        except Exception as error:  # noqa: BLE001  # raised again when the rest is written
            held = error
        await self._aside.write(batch, paused=self._pause.is_active)
        if held:
            raise held

    async def _handle_all(self, batch: Batch) -> None:
        self._pause.follow_controls()
        readable = await self._readable(batch)
        if not readable:
            return
        fresh, repeated = await self._split(readable, batch)
        if self._pause.is_active:
            fresh = await self._pause.probe(fresh, partial(self._call, batch=batch), batch)
        groups = await self._in_bulk(fresh, batch) if self._policy.in_bulk else by_key(fresh)
        await self._side_by_side(groups, batch)
        if repeated:
            await self._announce_again(repeated)

    async def _readable(self, batch: Batch) -> list[Item]:
        """The messages to handle. Of all other records it is said what becomes of them."""
        readable: list[Item] = []
        unwanted: list[tuple[Record, Envelope]] = []
        for record in batch.records:
            if await self._aside.is_decided(record, batch):
                continue
            match self._reader.read(record):
                case Unreadable(reason=reason):
                    batch.set_aside(record, Failure(reason, "unreadable"))
                case Refused(envelope=envelope, reason=reason):
                    await self._refuse(envelope, record, batch, reason)
                case Unwanted(envelope=envelope):
                    unwanted.append((record, envelope))
                case received:
                    readable.append(Item(received, record))
        await self._aside.settle_unread([envelope for _, envelope in unwanted])
        for record, _ in unwanted:
            self._done(record, batch, "unwanted")
        return readable

    async def _split(
        self, items: list[Item], batch: Batch
    ) -> tuple[list[Item], list[InboundMessage[Message]]]:
        """What is new, and what was handled before or stands in this batch already."""
        if self._transactions is None:
            return items, []
        known = set(await self._transactions.handled(i.received for i in items))
        fresh: list[Item] = []
        repeated: list[InboundMessage[Message]] = []
        for item in items:
            message_id = item.received.envelope.id
            if message_id in known:
                self._done(item.record, batch, "duplicate")
                repeated.append(item.received)
            else:
                known.add(message_id)
                fresh.append(item)
        return fresh, repeated

    async def _announce_again(self, repeated: list[InboundMessage[Message]]) -> None:
        assert self._transactions is not None
        settled = await self._transactions.handled(repeated)
        await self._transactions.announce_again(
            (r, settled[r.envelope.id]) for r in repeated if r.envelope.id in settled
        )

    async def _in_bulk(self, items: list[Item], batch: Batch) -> list[list[Item]]:
        """Handle what can be handled together. Returns the records of each key that cannot."""
        if not items:
            return []
        match await self._call(items, batch):
            case Handled():
                return []
            case Awaiting(error=error) if self._policy.ordered:
                raise error
            case Awaiting():  # one of them, for which the others need not wait
                return by_key(items)
            case Poisoned(error=error) | Failed(error=error):
                return await self._bisect(items, batch, error)

    async def _bisect(self, items: list[Item], batch: Batch, error: Exception) -> list[list[Item]]:
        """Handle each half of the keys of a bulk that failed. Returns as `_in_bulk`."""
        groups = by_key(items)
        if len(groups) == 1:
            return groups
        log.warning("batch_bisected", records=len(items), error=type(error).__name__)
        half = len(groups) // 2
        left: list[list[Item]] = []
        for part in (groups[:half], groups[half:]):
            left += await self._in_bulk([item for group in part for item in group], batch)
        return left

    async def _side_by_side(self, groups: list[list[Item]], batch: Batch) -> None:
        """Every key to its end, also when one has to wait: it cancels no other key's work.

        Raises an `ExceptionGroup` of what the keys have met.
        """
        works = (self._in_order(group, batch) for group in groups)
        met = await asyncio.gather(*works, return_exceptions=True)
        if errors := [each for each in met if isinstance(each, BaseException)]:
            raise BaseExceptionGroup("some keys have to wait", errors)

    async def _in_order(self, items: list[Item], batch: Batch) -> None:
        """One key's records, one after the other. Only the first that fails waits between tries."""
        patient = True
        for item in items:
            envelope = item.received.envelope
            with bound_contextvars(
                message_id=str(envelope.id),
                correlation_id=envelope.correlation_id,
                message_type=envelope.type,
                trace_id=trace_id_of(envelope.traceparent),
            ):
                patient = await self._attempt(item, batch, patient=patient) and patient

    async def _attempt(self, item: Item, batch: Batch, *, patient: bool) -> bool:
        """Handle a record or set it aside. Returns whether it was handled."""
        while True:
            match await self._call([item], batch):
                case Handled():
                    return True
                case Awaiting(error=error):
                    raise error
                case Poisoned(error=error):
                    failure = Failure(str(error), "poison", max(item.failures, 1))
                    batch.set_aside(item.record, failure)
                    return True
                case Failed() as failed:
                    if not await self._may_try_again(item, failed, batch, patient=patient):
                        return False

    async def _may_try_again(
        self, item: Item, failed: Failed, batch: Batch, *, patient: bool
    ) -> bool:
        """Count a failure. Returns, after a wait if `patient`, False for one that was the last."""
        item.count_failure()
        if item.failures >= self._policy.attempts:
            log.error("handler_failed", attempt=item.failures, exc_info=failed.error)
            await self._pause.count_failure(item, failed)
            failure = Failure(failed.reason, "handler", item.failures, item.first_failure)
            batch.set_aside(item.record, failure)
            return False
        log.warning("handler_failed", attempt=item.failures, error=type(failed.error).__name__)
        if patient:
            await self._sleep(0.1 * 2**item.failures)
        return True

    async def _call(self, items: list[Item], batch: Batch) -> CallResult:
        """Call the handler with these messages at once. Raises `DOWN` errors."""
        return await result_of(self._handle_or_refuse(items, batch))

    async def _handle_or_refuse(self, items: list[Item], batch: Batch) -> None:
        """The handler. Input that it refuses is settled, once it is known whose that is."""
        traced = traced_of([item.received for item in items])
        try:
            with TRACING.batch("process", "consumer", traced, self._attributes):
                await call(self._handle, [i.received for i in items], self._touch)
        except RefusedInputError as error:
            if len(items) > 1:
                raise
            await self._refuse(items[0].received.envelope, items[0].record, batch, str(error))
            return
        self._pause.guard.succeed(len(items))
        for item in items:
            self._done(item.record, batch, "handled")

    async def _refuse(self, envelope: Envelope, record: Record, batch: Batch, reason: str) -> None:
        log.warning("input_refused", message_id=str(envelope.id), reason=reason)
        await self._aside.refuse(envelope)
        self._done(record, batch, "refused")

    def _done(self, record: Record, batch: Batch, result: str) -> None:
        batch.finish(record)
        RECORDS.labels(self._name, record.topic, result).inc()
