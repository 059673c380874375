"""What the broker holds, seen by a client that is not the command line's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported
from pydantic import SecretStr

from contracts.ids import uuid7
from contracts.topics import USERS_EVENTS, Topic
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.runtime.settings import KafkaSettings
from operations.broker import Broker
from operations.lag import measure
from tests.support.e2e.records import Raw, good_record
from tests.support.stack import Stack
from tests.support.waiting import eventually

Place = tuple[str, int]
SECONDS = 20.0
JUST_MADE = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)


class BrokerState:
    """An operator's eyes."""

    def __init__(self, stack: Stack) -> None:
        kafka = stack.urls["kafka"]
        self._admin = AdminClient(
            {
                "bootstrap.servers": kafka["bootstrap"],
                "security.protocol": kafka["protocol"],
                "sasl.mechanism": kafka["mechanism"],
                "sasl.username": kafka["username"],
                "sasl.password": kafka["password"],
            }
        )

    def groups(self) -> set[str]:
        return {
            group.group_id for group in self._admin.list_consumer_groups().result(SECONDS).valid
        }

    def committed(self) -> dict[tuple[str, Place], int]:
        """Where every group stands on every partition."""
        asked = {
            group: self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
            for group in self.groups()
        }
        return {
            (group, (each.topic, each.partition)): each.offset
            for group, answer in asked.items()
            for each in answer[group].result(SECONDS).topic_partitions
        }

    def ends(self, topic: str) -> dict[int, int]:
        """Where each partition ends; nothing for a topic that is not there, or only just."""
        topics = self._admin.list_topics(timeout=SECONDS).topics
        if topic not in topics:
            return {}
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        places = {TopicPartition(topic, number): latest for number in topics[topic].partitions}
        asked = self._admin.list_offsets(places)
        try:
            return {place.partition: each.result(SECONDS).offset for place, each in asked.items()}
        except KafkaException as error:
            if error.args[0].code() in JUST_MADE:
                return {}
            raise

    def size(self, topic: str) -> int:
        return sum(self.ends(topic).values())


async def send_good(stack: Stack, topic: Topic, number: int) -> list[Raw]:
    """Records of a kind that changes nothing, over all partitions."""
    credentials = load_or_create(Layout(stack.data))
    records = [good_record(topic, credentials) for _ in range(number)]
    async with stack.producer() as producer:
        for place, record in enumerate(records):
            await record.send(producer, topic.name, place % topic.partitions)
    return records


async def a_moment() -> datetime:
    """A time after everything that was sent, and before all that will be."""
    moment = datetime.now(UTC) + timedelta(milliseconds=5)

    async def passed() -> bool:
        return datetime.now(UTC) > moment

    await eventually(passed, what="the moment")
    return moment


async def a_follower(stack: Stack) -> UUID:
    """A user with an empty watchlist."""
    user_id = uuid7()
    async with stack.postgres() as conn, conn.transaction():
        await conn.execute(
            "INSERT INTO users (id, email, address_hash) VALUES ($1, $2, $2)",
            user_id,
            f"{uuid4().hex}@example.com",
        )
        await conn.execute(
            "INSERT INTO personal_keys (id, secret) VALUES ($1, $2)",
            f"user:{user_id}",
            uuid4().bytes * 2,
        )
    return user_id


async def read_in(stack: Stack, group: str, ends: dict[int, int]) -> list[Any]:
    """What a projection in this group gets, each partition up to its end."""
    found: list[Any] = []
    consumer = AIOKafkaConsumer(
        USERS_EVENTS.name,
        **stack.kafka_options(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    async with consumer:

        async def all_read() -> bool:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(record for record in batch if record.offset < ends[record.partition])
            places = consumer.assignment()
            return len(places) == len(ends) and all(
                [await consumer.position(place) >= ends[place.partition] for place in places]
            )

        await eventually(all_read, seconds=120, what="the end of the range")
    return found


@contextmanager
def killed_when_begun(stack: Stack, *arguments: str) -> Iterator[None]:
    """The command runs inside of the block, and is killed at its end."""
    with stack.begin(*arguments) as running:
        try:
            yield
            assert running.poll() is None, f"it ended too early: {running.communicate()}"
        finally:
            running.kill()
            running.communicate()


async def audited(stack: Stack, action: str, **details: str) -> int:
    """How many rows of the log have these details."""
    async with stack.postgres() as conn:
        rows = await conn.fetch("SELECT details FROM audit_log WHERE action = $1", action)
    wanted = [f'"{name}": "{value}"' for name, value in details.items()]
    return sum(all(each in row["details"] for each in wanted) for row in rows)


async def until_quiescent(stack: Stack) -> None:
    """Everything was read by all who are to read it, and every event is in the audit log."""

    async def all_read() -> bool:
        ours = [each for each in await measure(broker) if each.group.startswith("qnt9.")]
        return all(each.members and not each.lag for each in ours)

    async def all_recorded() -> bool:
        query = """
            SELECT NOT EXISTS (
                   SELECT FROM outbox
                    WHERE published_at IS NULL
                       OR NOT EXISTS (
                          SELECT FROM audit_log WHERE audit_log.event_id = outbox.id))
        """
        async with stack.postgres() as conn:
            return bool(await conn.fetchval(query))

    async def nothing_left() -> bool:
        # What was read has caused no more events; what these caused has been read, too.
        return await all_read() and await all_recorded() and await all_read()

    async with Broker(kafka_settings(stack)) as broker:
        await eventually(nothing_left, seconds=180, what="rest", every=0.2)


def id_of(record: Any) -> UUID | None:
    """Of the message that a record carries, if it has one."""
    found = dict(record.headers).get("ce_id")
    return UUID(found.decode()) if found else None


def kafka_settings(stack: Stack) -> KafkaSettings:
    """Of the operator."""
    kafka = stack.urls["kafka"]
    return KafkaSettings(
        kafka_bootstrap=kafka["bootstrap"],
        kafka_username=kafka["username"],
        kafka_password=SecretStr(kafka["password"]),
        kafka_protocol=kafka["protocol"],
        kafka_mechanism=kafka["mechanism"],
    )
