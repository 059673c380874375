"""One batch: bad records set aside, repeats announced again, the rest handled, failures isolated.

The handler gets everything at once (`in_bulk`), or one message at a time, keys side by side. A
bulk that fails is halved by whole keys until the bad record is alone; that one is tried again and
then set aside. `DOWN` errors are nobody's fault: they leave here, and the batch comes again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.exceptions import RedisError
from structlog.contextvars import bound_contextvars

from contracts.envelope import Envelope
from contracts.message import Message
from infra.kafka.dead_letters import DeadLetters, Failure, FloodGuard
from infra.kafka.records import Reader, Record, Unreadable
from infra.postgres.pool import TRANSIENT, UNAVAILABLE
from infra.postgres.transaction import ConcurrentDeliveryError, Transactions
from infra.received import PoisonError, Received, RetryableError
from infra.telemetry import RECORDS

log = structlog.get_logger(__name__)

Handle = Callable[[Sequence[Received[Any]]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

_Place = tuple[str, int, int]

DOWN = (*UNAVAILABLE, RetryableError, RedisError)
TRIES_OF_A_CONFLICT = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """How a consumer takes its records."""

    max_records: int = 200
    in_bulk: bool = False
    attempts: int = 3
    fetch_min_bytes: int = 1
    fetch_max_wait_ms: int = 500
    backoff_seconds: tuple[float, float] = (0.2, 5.0)


@dataclass(slots=True)
class _Item:
    """A readable message with its record, which a dead letter must repeat."""

    received: Received[Message]
    record: Record
    failures: int = 0
    first_failure: datetime | None = None


class BatchWork:
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
    ) -> None:
        self._name = name
        self._handle = handle
        self._reader = reader
        self._dead_letters = dead_letters
        self._transactions = transactions
        self._policy = policy
        self._sleep = sleep
        self._touch = touch
        self._aside: dict[_Place, str] = {}
        self.flood = FloodGuard()

    async def take(self, records: Sequence[Record]) -> None:
        """Everything in the batch is handled, or set aside and acknowledged, on return."""
        readable: list[_Item] = []
        for record in records:
            match self._reader.read(record):
                case Unreadable(reason=reason, envelope=envelope):
                    await self._set_aside(record, envelope, Failure(reason, "unreadable"))
                case received if reason_before := self._aside.get(_place(record)):
                    await self._park(received.envelope, reason_before)
                case received:
                    readable.append(_Item(received, record))
        if readable:
            await self._take_readable(readable)
        self._aside.clear()

    async def _take_readable(self, readable: list[_Item]) -> None:
        fresh, repeated = await self._split(readable)
        if self._policy.in_bulk:
            await self._in_bulk(fresh)
        else:
            async with asyncio.TaskGroup() as tasks:
                for group in _by_key(fresh):
                    tasks.create_task(self._in_order(group))
        if repeated:
            await self._announce_again(repeated)

    async def _split(self, items: list[_Item]) -> tuple[list[_Item], list[Received[Message]]]:
        """What is new, and what was handled before or stands in this batch already."""
        if self._transactions is None:
            return items, []
        known = set(await self._transactions.handled(i.received for i in items))
        fresh: list[_Item] = []
        repeated: list[Received[Message]] = []
        for item in items:
            message_id = item.received.envelope.id
            if message_id in known:
                self._count(item.record, "duplicate")
                repeated.append(item.received)
            else:
                known.add(message_id)
                fresh.append(item)
        return fresh, repeated

    async def _announce_again(self, repeated: list[Received[Message]]) -> None:
        assert self._transactions is not None
        settled = await self._transactions.handled(repeated)
        await self._transactions.announce_again(
            (r, settled[r.envelope.id]) for r in repeated if r.envelope.id in settled
        )

    async def _in_bulk(self, items: list[_Item]) -> None:
        if not items:
            return
        try:
            await self._call(items)
        except DOWN:
            raise
        except Exception as error:  # noqa: BLE001  # a handler's bug must not stop the partition
            groups = _by_key(items)
            if len(groups) == 1:
                await self._in_order(items)
                return
            log.warning("batch_halved", records=len(items), error=type(error).__name__)
            half = len(groups) // 2
            await self._in_bulk([item for group in groups[:half] for item in group])
            await self._in_bulk([item for group in groups[half:] for item in group])

    async def _in_order(self, items: list[_Item]) -> None:
        """One key's records, one after the other."""
        for item in items:
            envelope = item.received.envelope
            with bound_contextvars(
                message_id=str(envelope.id),
                correlation_id=envelope.correlation_id,
                message_type=envelope.type,
            ):
                await self._attempt(item)

    async def _attempt(self, item: _Item) -> None:
        while True:
            try:
                await self._call([item])
            except DOWN:
                raise
            except PoisonError as error:
                await self._give_up(item, str(error), "poison")
                return
            except Exception as error:
                item.failures += 1
                item.first_failure = item.first_failure or datetime.now(UTC)
                log.exception("handler_failed", attempt=item.failures)
                if item.failures >= self._policy.attempts:
                    await self._give_up(item, f"{type(error).__name__} in a handler", "handler")
                    return
                await self._sleep(0.1 * 2**item.failures)
            else:
                return

    async def _call(self, items: list[_Item]) -> None:
        """The handler; again at once when two transactions met."""
        for left in reversed(range(TRIES_OF_A_CONFLICT)):
            self._touch()
            try:
                await self._handle([i.received for i in items])
                break
            except ConcurrentDeliveryError as error:
                raise RetryableError("another consumer has these messages too") from error
            except TRANSIENT as error:
                if not left:
                    raise RetryableError("transactions keep meeting") from error
            except BaseExceptionGroup as group:
                if group.subgroup(DOWN):
                    raise RetryableError("a dependency is down") from group
                raise
        for item in items:
            self.flood.record(dead=False)
            self._count(item.record, "handled")

    async def _give_up(self, item: _Item, reason: str, kind: str) -> None:
        failure = Failure(reason, kind, max(item.failures, 1), item.first_failure)
        await self._set_aside(item.record, item.received.envelope, failure)

    async def _set_aside(self, record: Record, envelope: Envelope | None, failure: Failure) -> None:
        """Once, also when the rest of the batch has to come again."""
        if _place(record) not in self._aside:
            if self.flood.flooded:
                raise RetryableError("too many dead letters; paused until a restart")
            await self._dead_letters.write(record, failure)
            self._aside[_place(record)] = failure.reason
            self.flood.record(dead=True)
            self._count(record, "dead_letter")
        if envelope:
            await self._park(envelope, failure.reason)

    async def _park(self, envelope: Envelope, reason: str) -> None:
        if self._transactions:
            await self._transactions.park(envelope, reason)

    def _count(self, record: Record, result: str) -> None:
        RECORDS.labels(self._name, record.topic, result).inc()


def one_at_a_time(
    handles: dict[type[Message], Callable[[Received[Any]], Awaitable[None]]],
) -> Handle:
    """The handler of a slice whose messages are handled one by one."""

    async def handle(batch: Sequence[Received[Any]]) -> None:
        for received in batch:
            await handles[type(received.data)](received)

    return handle


def _place(record: Record) -> _Place:
    return record.topic, record.partition, record.offset


def _by_key(items: Iterable[_Item]) -> list[list[_Item]]:
    groups: dict[object, list[_Item]] = {}
    for item in items:
        groups.setdefault(item.record.key, []).append(item)
    return list(groups.values())
