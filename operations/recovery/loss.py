"""How far Kafka is behind the database: nothing is changed here.

Every record of the event topics is compared by id and content with the audit log, so that it is
known what is missing however it was lost: a Kafka that is new, one that was restored from an older
copy, or a topic whose end was cut off. Offsets say nothing, since what comes again has new ones.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from contracts.envelope import Envelope, UnreadableError
from contracts.topics import AUDIT, topics_of
from infra.kafka.records import Record
from infra.postgres.pool import Connection
from operations.broker import Broker, Range
from operations.recovery import loss_store
from operations.recovery.loss_store import Loss

RECORDS = 2_000


@dataclass(slots=True)
class KafkaLoss:
    """What Kafka has lost. `unrecorded` events are in the outbox alone."""

    partitions: list[Loss] = field(default_factory=list)
    unrecorded: int = 0
    parked: int = 0

    @property
    def refillable(self) -> int:
        """How many events can be had again."""
        return sum(each.kept for each in self.partitions) + self.unrecorded

    @property
    def gone(self) -> int:
        """How many events the log has no more, or not as it had them."""
        return sum(each.changed + each.removed for each in self.partitions)

    @property
    def is_none(self) -> bool:
        """Whether Kafka has everything."""
        return not self.partitions and not self.unrecorded


async def survey_kafka(
    broker: Broker, conn: Connection, seen: Callable[[int], None] = lambda _: None
) -> KafkaLoss:
    """Compare the whole log with its topics. The session keeps what was found for `refill`."""
    await loss_store.prepare(conn)
    partitions = await broker.partitions()
    async with conn.transaction(isolation="repeatable_read"):
        # What the log has by now was in Kafka before the ends are asked for.
        parked = await loss_store.count_parked(conn)
        for topic in topics_of(AUDIT):
            places = [(topic.name, number) for number in range(partitions.get(topic.name, 0))]
            if not places:
                continue
            begins, ends = await broker.beginnings(places), await broker.ends(places)
            ranges = [Range(place[1], begins[place], ends[place]) for place in places]
            async for batch in broker.read(topic.name, ranges, at_most=RECORDS):
                await loss_store.add_records(conn, _known(batch.records))
                seen(len(batch.records))
        await loss_store.find_losses(conn)
    return KafkaLoss(await loss_store.losses(conn), await loss_store.count_unrecorded(conn), parked)


def _known(records: Iterable[Record]) -> Iterator[tuple[UUID, bytes]]:
    for record in records:
        try:
            envelope = Envelope.from_headers(record.headers)
        except UnreadableError:
            continue
        yield envelope.id, sha256(record.value or b"").digest()
