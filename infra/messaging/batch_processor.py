"""One batch: bad records set aside, repeats announced again, the rest handled, failures isolated.

The handler gets everything at once (`in_bulk`), or one message at a time, keys side by side. A
bulk that fails is halved by whole keys until the bad keys are alone; their records are tried again
one by one, all keys side by side, after everybody else's. `DOWN` errors are nobody's fault: they
leave here, and what is not finished comes again. What is finished is written first: dead letters
together with the offsets behind them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import structlog
from structlog.contextvars import bound_contextvars

from contracts.envelope import Envelope
from contracts.message import Message
from infra.kafka.records import Record
from infra.messaging.batch_items import DOWN, Item, by_key, probe
from infra.messaging.batch_progress import Batch, Failure
from infra.messaging.consumer_controls import Controls
from infra.messaging.consumer_policy import Policy
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dead_lettering import SettingAside
from infra.messaging.dead_letters import DeadLetters
from infra.messaging.failure_guard import FailureGuard, count_sources
from infra.messaging.handler_calls import Handle, call
from infra.messaging.inbound import InboundMessage, PoisonError, RefusedInputError, RetryableError
from infra.messaging.record_reader import Reader, Refused, Unreadable, Unwanted
from infra.messaging.restored_database import AwaitedError
from infra.messaging.transaction import Transactions
from infra.observability.telemetry import RECORDS

log = structlog.get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]

MAX_PROBES = 20
MIN_PROBES = 3
"""With fewer different senders to try, a probe says nothing about the handler."""


class GuardTrippedError(RetryableError):
    """The handler fails on messages of many senders: nothing more is set aside for that."""


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
        self._handle = handle
        self._reader = reader
        self._transactions = transactions
        self._policy = policy
        self._sleep = sleep
        self._touch = touch
        self._guard = FailureGuard()
        self.controls = controls or Controls(name)
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
        """Everything in the batch is handled, or set aside and acknowledged, on return."""
        await self.process(Batch(records))

    async def process(self, batch: Batch) -> None:
        """As `take`. Also when it raises, what is finished is written, and the batch says so."""
        held: Exception | None = None
        try:
            await self._handle_all(batch)
        except Exception as error:  # noqa: BLE001  # raised again when the rest is written
            held = error
        await self._aside.write(batch, paused=self._guard.tripped)
        if held:
            raise held

    async def _handle_all(self, batch: Batch) -> None:
        self._follow_controls()
        readable = await self._readable(batch)
        if not readable:
            return
        fresh, repeated = await self._split(readable, batch)
        if self._guard.tripped:
            fresh = await self._probe(fresh, batch)
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
        try:
            await self._call(items, batch)
        except AwaitedError:  # of one of them, for which the others need not wait
            if self._policy.ordered:
                raise
            return by_key(items)
        except DOWN:
            raise
        except Exception as error:  # noqa: BLE001  # a handler's bug must not stop the partition
            groups = by_key(items)
            if len(groups) == 1:
                return groups
            log.warning("batch_bisected", records=len(items), error=type(error).__name__)
            half = len(groups) // 2
            left = await self._in_bulk([item for group in groups[:half] for item in group], batch)
            return left + await self._in_bulk(
                [item for group in groups[half:] for item in group], batch
            )
        return []

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
            ):
                patient = await self._attempt(item, batch, patient=patient) and patient

    async def _attempt(self, item: Item, batch: Batch, *, patient: bool) -> bool:
        """Handle a record or set it aside. Returns whether it was handled."""
        while True:
            try:
                await self._call([item], batch)
            except DOWN:
                raise
            except PoisonError as error:
                batch.set_aside(item.record, Failure(str(error), "poison", max(item.failures, 1)))
                return True
            except Exception as error:
                item.failures += 1
                item.first_failure = item.first_failure or datetime.now(UTC)
                if item.failures >= self._policy.attempts:
                    log.exception("handler_failed", attempt=item.failures)
                    await self._give_up(item, error, batch)
                    return False
                log.warning("handler_failed", attempt=item.failures, error=type(error).__name__)
                if patient:
                    await self._sleep(0.1 * 2**item.failures)
            else:
                return True

    async def _give_up(self, item: Item, error: Exception, batch: Batch) -> None:
        """Set a record aside that the handler failed on, unless too many senders' records fail."""
        reason = f"{type(error).__name__} in a handler"
        if self._guard.fail(item.source):
            await self.controls.pause(f"messages of many senders fail, the last with {reason}")
            raise GuardTrippedError("the handler fails on messages of many senders")
        failure = Failure(reason, "handler", item.failures, item.first_failure)
        batch.set_aside(item.record, failure)

    async def _probe(self, items: list[Item], batch: Batch) -> list[Item]:
        """Whether what tripped the guard is gone. Returns what is left to do of the batch.

        Raises `GuardTrippedError` when it is not, unless too few senders were there to tell: then
        those that fail are set aside, so that they hold nobody up.
        """
        if not items:
            return []
        few = count_sources([item.source for item in items]) < MIN_PROBES
        tried = items if few else [group[0] for group in by_key(items)[:MAX_PROBES]]
        failed = await probe(tried, partial(self._call, batch=batch), batch)
        log.info("consumer_probed", consumer=self._name, tried=len(tried), failed=len(failed))
        if len(failed) * 2 <= len(tried):
            self._guard.reset()
            await self.controls.resume()
            done = {id(item) for item in tried} - {id(item) for item, _ in failed}
            return [item for item in items if id(item) not in done]
        if not few:
            raise GuardTrippedError("the handler still fails on messages of many senders")
        for item, reason in failed:
            batch.set_aside(item.record, Failure(reason, "handler"))
        return []

    async def _call(self, items: list[Item], batch: Batch) -> None:
        """The handler. Input that it refuses is settled, once it is known whose that is."""
        try:
            await call(self._handle, [i.received for i in items], self._touch)
        except RefusedInputError as error:
            if len(items) > 1:
                raise
            await self._refuse(items[0].received.envelope, items[0].record, batch, str(error))
            return
        self._guard.succeed(len(items))
        for item in items:
            self._done(item.record, batch, "handled")

    async def _refuse(self, envelope: Envelope, record: Record, batch: Batch, reason: str) -> None:
        log.warning("input_refused", message_id=str(envelope.id), reason=reason)
        await self._aside.refuse(envelope)
        self._done(record, batch, "refused")

    def _follow_controls(self) -> None:
        """Be paused or not as the database says: another process or an operator may have."""
        if self.controls.changed:
            self.controls.changed = False
            if self.controls.paused:
                self._guard.trip()
            else:
                self._guard.reset()

    def _done(self, record: Record, batch: Batch, result: str) -> None:
        batch.finish(record)
        RECORDS.labels(self._name, record.topic, result).inc()
