"""Rows to Kafka: side by side over partitions, one batch after the other within each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from contracts.topics import MAX_RECORD_BYTES
from infra.kafka.producer import (
    BrokerUnavailableError,
    IndeterminateError,
    Producer,
    RefusedError,
)
from infra.observability.tracing import TRACING
from workers.relay.rules import Row, by_topic, traced

log = structlog.get_logger(__name__)

ACK_SECONDS = 30.0
HEADROOM = 64 * 1024


@dataclass
class Sent:
    """What became of some rows. What is in neither list is sent again, first of its key."""

    acknowledged: list[Row] = field(default_factory=list)
    refused: list[Row] = field(default_factory=list)
    away: str | None = None


async def publish(
    producer: Producer, rows: list[Row], may_go_on: Callable[[], bool] = lambda: True
) -> Sent:
    """Returns when Kafka has answered for every row, or has not in time.

    Once `may_go_on` is false no further batch is begun.
    """
    sent = Sent()
    async with asyncio.TaskGroup() as tasks:
        for topic, of_topic in by_topic(rows).items():
            try:
                partitions = await _by_partition(producer, topic, of_topic)
            except BrokerUnavailableError:
                sent.away = "there is no broker"
                break
            except RefusedError as error:
                _refuse(sent, of_topic, error)
                continue
            for partition, of_partition in partitions.items():
                work = _in_order(producer, topic, partition, of_partition, sent, may_go_on)
                tasks.create_task(work)
    return sent


async def _by_partition(producer: Producer, topic: str, rows: list[Row]) -> dict[int, list[Row]]:
    partitions: dict[int, list[Row]] = {}
    for row in rows:
        number = await producer.partition_of(topic, row.record.key)
        partitions.setdefault(number, []).append(row)
    return partitions


async def _in_order(  # noqa: PLR0917  # of one call, above
    producer: Producer,
    topic: str,
    partition: int,
    rows: list[Row],
    sent: Sent,
    may_go_on: Callable[[], bool],
) -> None:
    """One partition's rows. After a failure nothing later is sent, so order cannot suffer."""
    rows = _without_oversized(rows, sent)
    while rows and may_go_on():
        try:
            with TRACING.batch("publish", "producer", traced(rows), _attributes(topic)):
                count = await producer.publish_batch(
                    topic, partition, [row.record for row in rows], seconds=ACK_SECONDS
                )
        except (BrokerUnavailableError, IndeterminateError) as error:
            sent.away = str(error) or "there is no broker"
            return
        except RefusedError as error:
            _refuse(sent, rows, error)
            return
        sent.acknowledged += rows[:count]
        rows = rows[count:]


def _attributes(topic: str) -> dict[str, str]:
    return {"messaging.system": "kafka", "messaging.destination.name": topic}


def _without_oversized(rows: list[Row], sent: Sent) -> list[Row]:
    """Rows that no topic takes are held back, with what comes after them under the same key."""
    kept: list[Row] = []
    stuck: set[bytes] = set()
    for row in rows:
        if len(row.record.value) > MAX_RECORD_BYTES - HEADROOM:
            stuck.add(row.record.key)
            _refuse(sent, [row], RefusedError(f"{row.topic}: too big"))
        elif row.record.key not in stuck:
            kept.append(row)
    return kept


def _refuse(sent: Sent, rows: list[Row], error: RefusedError) -> None:
    log.error("events_refused", reason=str(error), rows=len(rows), first_seq=rows[0].seq)
    sent.refused += rows
