"""Consumers as operators steer them: paused or not, and what becomes of records before they act."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.operator_events import OpsConsumerInstructed, OpsConsumerResumed
from contracts.topics import AUDIT, Consumer, topics_of
from infra.messaging.consumer_controls import Action, Instruction, Pause
from infra.messaging.postgres_controls import PostgresControls
from infra.postgres.pool import Pool
from operations import ops_events
from operations.broker import Broker, Range
from operations.errors import NotAllowedError, OpsError
from operations.lag import Lag, consumers, measure
from operations.record_producer import Sender
from operations.redaction import matches

CONSUMERS = {consumer.name: consumer for consumer in consumers()}


@dataclass(frozen=True, slots=True)
class State:
    """One consumer as it is now."""

    consumer: Consumer
    pause: Pause | None
    instructions: Sequence[Instruction]
    """Those that may still meet a record."""
    lags: Sequence[Lag]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the records that a consumer has still to read. None means any."""

    topic: str | None = None
    partition: int | None = None
    first: int | None = None
    until: int | None = None
    type: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The instructions that a choice comes to, and how many records are there for them."""

    instructions: tuple[Instruction, ...]
    records: int


async def states(broker: Broker, pool: Pool, names: Sequence[str]) -> list[State]:
    """These consumers, by name."""
    lags = await measure(broker)
    found = []
    for name in names:
        consumer = CONSUMERS[name]
        pause, instructions = await PostgresControls(pool, name).load()
        own = [lag for lag in lags if lag.group == consumer.group]
        reached = {(lag.topic, lag.partition): lag.committed or 0 for lag in own}
        left = [i for i in instructions if i.until > reached.get((i.topic, i.partition), 0)]
        found.append(State(consumer, pause, left, own))
    return found


async def find(
    broker: Broker,
    consumer: Consumer,
    action: Action,
    choice: Choice,
    by: ops_events.OperatorContext,
) -> Found:
    """What an instruction would reach: nothing that is read, nothing that comes later.

    Raises `OpsError`.
    """
    _check(consumer, action, choice)
    instructions: list[Instruction] = []
    records = 0
    for lag in await measure(broker):
        range_ = _chosen_range(lag, consumer, choice)
        if range_ is None:
            continue
        count = 0
        async for batch in broker.read(lag.topic, [range_]):
            count += sum(matches(r, type_=choice.type, key=choice.key) for r in batch.records)
        if count:
            instructions.append(_instruction(action, lag.topic, range_, choice, by))
            records += count
    return Found(tuple(instructions), records)


def _check(consumer: Consumer, action: Action, choice: Choice) -> None:
    """Raises `OpsError` for an instruction that this consumer cannot follow."""
    if action == "skip" and consumer == AUDIT:
        raise NotAllowedError(
            "the audit log has every event: `qnt9 consumers set-aside audit` keeps those it cannot "
            "take as dead letters"
        )
    topics = [n for t in topics_of(consumer) for n in (t.name, t.redrive(consumer))]
    if choice.topic is not None and choice.topic not in topics:
        raise OpsError(f"{consumer.name} reads {', '.join(topics)}, not {choice.topic!r}")


def _chosen_range(lag: Lag, consumer: Consumer, choice: Choice) -> Range | None:
    """What a choice names of the unread part of a partition; None where that is nothing."""
    if lag.group != consumer.group or choice.topic not in {None, lag.topic}:
        return None
    if choice.partition not in {None, lag.partition}:
        return None
    first = max(lag.end - lag.lag, choice.first or 0)
    until = lag.end if choice.until is None else min(lag.end, choice.until)
    found = Range(lag.partition, first, until)
    return None if found.is_empty else found


def _instruction(
    action: Action, topic: str, range_: Range, choice: Choice, by: ops_events.OperatorContext
) -> Instruction:
    key = None if choice.key is None else choice.key.encode()
    return Instruction(
        action,
        topic,
        range_.partition,
        range_.start,
        range_.until,
        choice.type,
        key,
        by.operator,
        by.reason,
    )


async def instruct(
    pool: Pool, sender: Sender, consumer: Consumer, found: Found, by: ops_events.OperatorContext
) -> None:
    """Tell the consumer, which follows within seconds, and keep who did it."""
    first = found.instructions[0]
    async with pool.acquire() as conn, conn.transaction():
        await conn.executemany(
            """
            INSERT INTO consumer_instructions
                   (consumer, action, topic, partition, first, until, type, key, operator, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            [
                (
                    *(consumer.name, i.action, i.topic, i.partition, i.first, i.until),
                    *(i.type, i.key, i.operator, i.reason),
                )
                for i in found.instructions
            ],
        )
        event = OpsConsumerInstructed(
            operator=by.operator,
            reason=by.reason,
            consumer=consumer.name,
            action=first.action,
            ranges=[(i.topic, i.partition, i.first, i.until) for i in found.instructions],
            records=found.records,
            only_type=first.type,
            only_key=None if first.key is None else first.key.decode(),
        )
        await ops_events.record(sender, event, about=first.topic)


async def resume(
    pool: Pool, sender: Sender, consumer: Consumer, by: ops_events.OperatorContext
) -> bool:
    """End a consumer's pause. Returns False when it was not paused."""
    async with pool.acquire() as conn, conn.transaction():
        was = await conn.fetchval(
            "DELETE FROM consumer_pauses WHERE consumer = $1 RETURNING reason", consumer.name
        )
        if was is None:
            return False
        event = OpsConsumerResumed(
            operator=by.operator, reason=by.reason, consumer=consumer.name, was_paused_for=was
        )
        await ops_events.record(sender, event, about=topics_of(consumer)[0].name)
    return True
