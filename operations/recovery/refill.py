"""Event topics filled in again from the audit log, as their records were published.

Each record has its key, value, headers, timestamp and partition of before, and a new offset. An
event tells which offsets those are: `qnt9 audit verify` takes a row for proven by a record there.
Stopped at any place and begun anew, it sends what is missing by then.
"""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from contracts.ids import derived_uuid7, time_of, uuid7
from contracts.operator_events import OpsRecovered
from infra.postgres.pool import Connection
from operations import ops_events as journal
from operations.audit.refilled import event_topic
from operations.broker import Broker
from operations.errors import OpsError
from operations.record_producer import Copy, Sender
from operations.recovery import loss_store
from operations.recovery.loss import KafkaLoss

ROWS = 500
Starts = dict[str, dict[str, int]]
"""By topic and partition: where it ended before anything was filled in."""


async def refill(
    broker: Broker,
    conn: Connection,
    sender: Sender,
    found: KafkaLoss,
    *,
    by: journal.OperatorContext,
    seen: Callable[[int], None] = lambda _: None,
) -> None:
    """Send what the survey of this session has found. Raises `OpsError`; run it again."""
    partitions = await broker.partitions()
    topics = sorted({event_topic(loss.place[0]) for loss in found.partitions})
    if missing := [name for name in topics if name not in partitions]:
        raise OpsError(f"Kafka has no topic {', '.join(missing)}: run `qnt9 setup` first")
    begun = await loss_store.untold(conn)
    run: UUID = begun["id"] if begun else uuid7()
    starts: Starts = begun["refilled"] if begun else {}
    ends = await broker.ends((name, p) for name in topics for p in range(partitions[name]))
    for (name, partition), end in ends.items():
        starts.setdefault(name, {}).setdefault(str(partition), end)
    await loss_store.save_starts(conn, run, by.operator, by.reason, starts)
    after = (0, 0)
    while rows := await loss_store.lost_rows(conn, after, ROWS):
        for topic, copies in _copies(rows, partitions).items():
            await sender.send(topic, copies)
        after = (rows[-1]["chain"], rows[-1]["sequence"])
        seen(len(rows))
    await loss_store.publish_again(conn)
    await _report(broker, conn, sender, by, (run, starts))


async def _report(
    broker: Broker,
    conn: Connection,
    sender: Sender,
    by: journal.OperatorContext,
    done: tuple[UUID, Starts],
) -> None:
    """On `ops.events`, which offsets may be those of records that were filled in."""
    run, starts = done
    places = [(name, int(number)) for name, numbers in starts.items() for number in numbers]
    ends = await broker.ends(places)
    ranges = [
        (name, partition, starts[name][str(partition)], end)
        for (name, partition), end in sorted(ends.items())
        if starts[name][str(partition)] < end
    ]
    event = OpsRecovered(
        operator=by.operator,
        reason=by.reason,
        recovery_id=run,
        groups={},
        events=0,
        refilled=ranges,
    )
    id_ = derived_uuid7(time_of(run), run, event.model_dump_json())
    await journal.record(sender, event, about="kafka", id_=id_)
    await loss_store.save_starts(conn, run, by.operator, by.reason, None)


def _copies(rows: Iterable[dict[str, Any]], partitions: dict[str, int]) -> dict[str, list[Copy]]:
    """The records of some rows, by topic."""
    found: dict[str, list[Copy]] = {}
    for row in rows:
        topic = event_topic(row["topic"])
        in_place = topic == row["topic"] and row["partition"] < partitions[topic]
        found.setdefault(topic, []).append(
            Copy(
                row["key"],
                row["payload"],
                [(name, str(value).encode()) for name, value in row["headers"].items()],
                timestamp_ms=loss_store.milliseconds(row["recorded_at"]),
                partition=row["partition"] if in_place else None,
            )
        )
    return found
