"""What a process that was broken into could do: tried with its own credentials."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not by name
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
)

from contracts.physical_topics import physical_topics
from contracts.topics import AUDIT_CHECKPOINTS, OPS_EVENTS, TOPICS, USERS_EVENTS
from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.kafka.admin import Grant, binding, binding_filter
from infra.postgres.grants import compare_rights
from infra.postgres.privileges import ROLES
from infra.postgres.roles import OWNER, limit
from tests.support.e2e.records import good_record
from tests.support.e2e.role_clients import connection_of, gets_its_way, in_the_database_as
from tests.support.stack import Stack

TOPIC_NAMES = [topic.name for topic in physical_topics()]
READ_SECONDS = 20.0
REFUSED = KafkaError.TOPIC_AUTHORIZATION_FAILED


async def test_rights_in_the_database_are_those_of_the_table(stack: Stack) -> None:
    """What each role could try against them: tests/infra/postgres/test_rights.py."""
    async with stack.postgres() as conn:
        assert (await compare_rights(conn)).lines() == []
        assert await conn.fetchval("SELECT current_user") == OWNER


@pytest.mark.parametrize("role", ROLES)
async def test_role_of_the_database_reaches_one_database_and_keeps_nothing_there(
    role: str, stack: Stack
) -> None:
    dsn, user = stack.urls["postgres"]["dsn"], f"qnt9_{role}"
    password = load_or_create(Layout(stack.data)).postgres[user]
    for other in ("postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(dsn, user=user, password=password, database=other)
    async with in_the_database_as(role, stack) as conn:
        for statement in ("CREATE TEMPORARY TABLE mine (id int)", "CREATE SCHEMA mine"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
        most = int(await conn.fetchval("SHOW max_connections"))
        own = await conn.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
    assert own
    assert own["rolconnlimit"] == limit(user, most)
    powers = ("super", "createrole", "createdb", "replication", "bypassrls")
    assert not any(own[f"rol{power}"] for power in powers)


@pytest.mark.parametrize(
    ("role", "is_reported"),
    [
        ("gateway", []),
        ("accounts", ["I9: the accounts may SELECT password_hash FROM users"]),
        ("relay", ["I9: the relay may publish on users.events"]),
    ],
)
async def test_the_short_list_of_attempts_reports_who_may_more(
    stack: Stack, role: str, is_reported: list[str]
) -> None:
    found = [each async for each in gets_its_way(stack, role)]
    assert set(found) >= set(is_reported)
    assert bool(found) == bool(is_reported)


def may_write(role: str, topic: str) -> bool:
    """The rule in one place, apart from the topology: what a role's own work needs, no more."""
    if role == "gateway":
        return topic.endswith(".commands")
    if role == "relay":
        return topic.endswith(".events") and topic != OPS_EVENTS.name
    if topic == AUDIT_CHECKPOINTS.name:
        return role == "audit"
    own = {c.name for t in TOPICS for c in t.consumers if c.principal == role}
    return topic.endswith(".dlq") and topic.split(".")[-2] in own


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_writes_the_topics_of_its_own_work_alone(stack: Stack, role: str) -> None:
    credentials = load_or_create(Layout(stack.data))
    refused = [name for name in TOPIC_NAMES if not may_write(role, name)]
    assert len(refused) > len(TOPICS)
    async with AIOKafkaProducer(**connection_of(role, credentials, stack)) as producer:
        for name in refused:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(name, b"{}", key=b"a key")


@pytest.mark.parametrize(("role", "suffix"), [("gateway", ".commands"), ("relay", ".events")])
async def test_what_a_role_may_write_is_taken(stack: Stack, role: str, suffix: str) -> None:
    credentials = load_or_create(Layout(stack.data))
    async with AIOKafkaProducer(**connection_of(role, credentials, stack)) as producer:
        for topic in TOPICS:
            if topic.name.endswith(suffix) and may_write(role, topic.name):
                assert await good_record(topic, credentials).send(producer, topic.name) >= 0


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_the_topics_of_its_own_work_alone(stack: Stack, role: str) -> None:
    credentials = load_or_create(Layout(stack.data))
    own = {
        name
        for topic in TOPICS
        for consumer in topic.consumers
        if consumer.principal == role
        for name in (topic.name, topic.redrive(consumer), topic.dead_letters(consumer))
    } | {topic.name for topic in TOPICS if role in topic.watchers}
    consumer = Consumer(
        {
            "bootstrap.servers": stack.urls["kafka"]["bootstrap"],
            "security.protocol": stack.urls["kafka"]["protocol"],
            "sasl.mechanism": stack.urls["kafka"]["mechanism"],
            "sasl.username": role,
            "sasl.password": credentials.kafka[role],
            "group.id": "never-joined",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 2,
        }
    )
    read = set[str]()
    refused = {n for n in TOPIC_NAMES if consumer.list_topics(n).topics[n].error == REFUSED}
    visible = [TopicPartition(n, 0, OFFSET_BEGINNING) for n in TOPIC_NAMES if n not in refused]
    consumer.assign(visible)
    ends = time.monotonic() + READ_SECONDS
    while read | refused != set(TOPIC_NAMES) and time.monotonic() < ends:
        message = consumer.poll(0.1)
        if message and (topic := message.topic()):
            error = message.error()
            (refused if error and error.code() == REFUSED else read).add(topic)
    consumer.close()
    assert read == own
    assert refused == set(TOPIC_NAMES) - own


GROUPS = sorted({consumer.group for topic in TOPICS for consumer in topic.consumers})
GROUP_REFUSED = KafkaError.GROUP_AUTHORIZATION_FAILED
NOT_ALLOWED = (
    REFUSED,
    GROUP_REFUSED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError._NOENT,
)
"""The last is the client's own, about a topic that the broker does not let it see."""


def is_refused(request: Callable[[], Any]) -> bool:
    """Whether the broker refused a request of an administrator, or answered it with nothing."""
    try:
        results = [future.result(timeout=READ_SECONDS) for future in request().values()]
    except KafkaException as error:
        return error.args[0].code() in NOT_ALLOWED
    return results == [[]]


Requests = dict[str, Callable[[], Any]]


def administration(admin: AdminClient, role: str) -> Requests:
    """What only the operator may ask of the broker, by what it would do."""
    shorter = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    theirs = UserScramCredentialDeletion("gateway", ScramMechanism.SCRAM_SHA_512)
    mine = Grant(role, "WRITE", "topic", USERS_EVENTS.name)
    there = Grant("gateway", "READ", "topic", USERS_EVENTS.name)
    found: Requests = {
        "create a topic": partial(admin.create_topics, [NewTopic("mine", 1, 1)]),
        "give itself a right": partial(admin.create_acls, [binding(mine)]),
        "list rights": lambda: {0: admin.describe_acls(binding_filter(there))},
        "end another user": partial(admin.alter_user_scram_credentials, [theirs]),
    }
    for name in TOPIC_NAMES:
        config = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[shorter])
        found |= {
            f"delete {name}": partial(admin.delete_topics, [name]),
            f"grow {name}": partial(admin.create_partitions, [NewPartitions(name, 9)]),
            f"change {name}": partial(admin.incremental_alter_configs, [config]),
            f"empty {name}": partial(admin.delete_records, [TopicPartition(name, 0, 0)]),
        }
    return found


def of_group(admin: AdminClient, group: str, own: set[str]) -> Requests:
    """What a consumer group's owner alone may do, and what nobody may."""
    found: Requests = {f"delete {group}": partial(admin.delete_consumer_groups, [group])}
    if group not in own:
        read = ConsumerGroupTopicPartitions(group)
        moved = ConsumerGroupTopicPartitions(group, [TopicPartition(TOPIC_NAMES[0], 0, 0)])
        found |= {
            f"read {group}": partial(admin.list_consumer_group_offsets, [read]),
            f"move {group}": partial(admin.alter_consumer_group_offsets, [moved]),
        }
    return found


@pytest.mark.parametrize("role", ROLES)
def test_user_of_kafka_administers_nothing_and_knows_its_own_groups_alone(
    role: str, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials = load_or_create(Layout(stack.data))
    kafka = stack.urls["kafka"]
    admin = AdminClient(
        {
            "bootstrap.servers": kafka["bootstrap"],
            "security.protocol": kafka["protocol"],
            "sasl.mechanism": kafka["mechanism"],
            "sasl.username": role,
            "sasl.password": credentials.kafka[role],
            "log_level": 2,
        }
    )
    own = {c.group for topic in TOPICS for c in topic.consumers if c.principal == role}
    tries = administration(admin, role) | {
        what: request for group in GROUPS for what, request in of_group(admin, group, own).items()
    }
    allowed = [what for what, request in tries.items() if not is_refused(request)]
    assert allowed == []
    with capsys.disabled():
        sys.stdout.write(f"\n{role}: {len(tries)} requests tried on Kafka, all refused\n")
