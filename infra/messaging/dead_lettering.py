"""How records of a batch are set aside: parked, written as dead letters, and as operators say."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from contracts.envelope import Envelope
from contracts.outcomes import Rejected
from infra.kafka.records import Place, Record
from infra.messaging.batch_progress import Batch, Failure, Prefix, SetAside, place_of
from infra.messaging.consumer_controls import Controls
from infra.messaging.dead_letter_encryption import actor_of
from infra.messaging.dead_letter_owner import Owners
from infra.messaging.dead_letter_status import DeadLetterStatus
from infra.messaging.dead_letters import DeadLetters
from infra.messaging.inbound import RetryableError
from infra.messaging.record_reader import EVENT_TOPICS, envelope_of
from infra.messaging.transaction import ConcurrentDeliveryError, Transactions
from infra.observability.telemetry import RECORDS

NOBODY = UUID(int=0)


class SettingAside:
    """Decides on records that need no handler, and writes the dead letters of batches."""

    def __init__(
        self,
        consumer: str,
        dead_letters: DeadLetters,
        transactions: Transactions | None,
        *,
        dead_letter_status: DeadLetterStatus | None,
        controls: Controls,
        touch: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._dead_letters = dead_letters
        self._transactions = transactions
        self._dead_letter_status = dead_letter_status
        self._controls = controls
        self._touch = touch
        self._decided: dict[tuple[str, int, int], Failure] = {}
        """Of records whose dead letter is not written yet: one before them is not finished."""

    async def is_decided(self, record: Record, batch: Batch) -> bool:
        """Whether it is known what becomes of this record, without reading it."""
        if failure := self._decided.get(place_of(record)):
            batch.set_aside(record, failure)
            return True
        if not (instruction := self._controls.instruction_for(record)):
            return False
        if instruction.action == "set-aside":
            reason = f"set aside by {instruction.operator}: {instruction.reason}"
            batch.set_aside(record, Failure(reason, "operator"))
            return True
        envelope = envelope_of(record)
        if envelope and self._transactions:
            outcome = None if record.topic in EVENT_TOPICS else Rejected("discarded")
            await self._transactions.complete_unhandled([envelope], outcome)
        batch.finish(record)
        self._count(record, "skipped")
        return True

    async def refuse(self, envelope: Envelope) -> None:
        """Settle a command whose input is not valid: its client is told so, and nobody else.

        Raises `RetryableError` when another consumer handles it at the same time.
        """
        await self._settle([envelope], Rejected("invalid-fields"))

    async def settle_unread(self, envelopes: Sequence[Envelope]) -> None:
        """Settle events that this version does not want: the next one may, and has to know them.

        A consumer takes a database for older than Kafka that does not know what was read. Raises as
        `refuse` does.
        """
        if envelopes:
            await self._settle(envelopes, None)

    async def _settle(self, envelopes: Sequence[Envelope], outcome: Rejected | None) -> None:
        if self._transactions is None:
            return
        try:
            await self._transactions.complete_unhandled(envelopes, outcome)
        except ConcurrentDeliveryError as error:
            raise RetryableError("another consumer has this message too") from error

    async def write(self, batch: Batch, *, paused: bool) -> None:
        """The dead letters that nothing unfinished stands before; the others are remembered.

        But not what the handler failed on when the consumer is paused for that: it may yet work.

        Raises `RetryableError`, and errors of the database, when some are not written; the batch
        says which are.
        """
        wanted = {place: p for place, p in batch.prefixes().items() if p.dead_letters}
        for ahead in batch.set_aside_ahead():
            if paused and ahead.failure.kind == "handler":
                continue
            self._decided[place_of(ahead.record)] = ahead.failure
        dead_letters = [
            dead_letter for prefix in wanted.values() for dead_letter in prefix.dead_letters
        ]
        for each in dead_letters:
            self._decided[place_of(each.record)] = each.failure
        if not dead_letters:
            return
        await self._park(dead_letters)
        owners = await self._owners_of(dead_letters)
        for prefix in wanted.values():
            prefix.dead_letters = [
                replace(each, owner=owners.get(actor_of(each.record) or NOBODY))
                for each in prefix.dead_letters
            ]
        ended = await asyncio.gather(
            *(self._write(place, prefix, batch) for place, prefix in wanted.items()),
            return_exceptions=True,
        )
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _write(self, place: Place, prefix: Prefix, batch: Batch) -> None:
        self._touch()
        await self._dead_letters.write(place, prefix.dead_letters, prefix.until)
        batch.written.add(place)
        for each in prefix.dead_letters:
            del self._decided[place_of(each.record)]
            self._count(each.record, "dead_letter")

    async def _park(self, dead_letters: list[SetAside]) -> None:
        """Remember what waits as dead letters: the status of a command says so, and it is known."""
        if self._dead_letter_status is None:
            return
        parked = [
            (envelope, each.failure.reason)
            for each in dead_letters
            if (envelope := envelope_of(each.record))
        ]
        if parked:
            await self._dead_letter_status.mark_all_dead_lettered(parked)

    async def _owners_of(self, dead_letters: list[SetAside]) -> Owners:
        """Those of the commands among them whose owners are known."""
        actors = {actor for each in dead_letters if (actor := actor_of(each.record))}
        return (
            await self._dead_letter_status.owners(actors)
            if self._dead_letter_status and actors
            else {}
        )

    def _count(self, record: Record, result: str) -> None:
        RECORDS.labels(self._consumer, record.topic, result).inc()
