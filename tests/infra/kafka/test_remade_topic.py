"""A topic that is deleted, missing for a while and created again, on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contracts.topics import WATCHLIST_COMMANDS
from devstack.supervisor.credentials import Credentials, load_or_create
from devstack.supervisor.kafka import Kafka
from devstack.supervisor.layout import Layout, cache_folder
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.process import Process
from devstack.supervisor.records import Records
from infra.kafka.admin import ensure_topology
from infra.kafka.batching_publisher import BatchingPublisher
from infra.kafka.operator_client import Operator
from infra.kafka.producer import (
    BrokerUnavailableError,
    IndeterminateError,
    Outgoing,
    Producer,
    RefusedError,
)
from infra.runtime.settings import KafkaSettings
from tests.support.stack import PORT_BASE
from tests.support.waiting import eventually

PORTS = Ports(PORT_BASE + 800)
KEYS = [f"key {number}".encode() for number in range(24)]
PUBLISH_SECONDS = 3.0
FAILED = (TimeoutError, BrokerUnavailableError, IndeterminateError, RefusedError)
TOPIC = WATCHLIST_COMMANDS.name


def settings_of(user: str, credentials: Credentials) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "kafka_bootstrap": f"{LOOPBACK}:{PORTS.kafka}",
            "kafka_username": user,
            "kafka_password": SecretStr(credentials.kafka[user]),
            "kafka_protocol": "SASL_PLAINTEXT",
        }
    )


@pytest.fixture
async def credentials(tmp_path: Path) -> AsyncIterator[Credentials]:
    """Of a broker of its own, with all topics."""
    layout = Layout(tmp_path / "data")
    layout.create()
    made = load_or_create(layout)
    kafka = Kafka(layout, made, PORTS, cache_folder() / "m2")
    process = Process(kafka.part(), layout, Records(layout), lambda _: None)
    try:
        await process.start()
        await asyncio.to_thread(ensure_topology, settings_of("operator", made))
        yield made
    finally:
        await process.stop()


async def published(batches: BatchingPublisher, key: bytes) -> bool:
    """As the gateway does it: bounded in time, and then cancelled."""
    try:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await (await batches.publish(TOPIC, Outgoing(key, b"{}", [])))
    except FAILED:
        return False
    return True


async def all_published(batches: BatchingPublisher) -> bool:
    """One record for each key, which lie in all partitions."""
    return all(await asyncio.gather(*(published(batches, key) for key in KEYS)))


@pytest.mark.timeout(300)
async def test_topic_that_was_missing_takes_records_again_when_it_is_remade(
    credentials: Credentials,
) -> None:
    operator = settings_of("operator", credentials)
    async with Producer(settings_of("gateway", credentials), client_id="test") as producer:
        batches = BatchingPublisher(producer)

        async def takes_all() -> bool:
            return producer.connected and await all_published(batches)

        await eventually(takes_all, seconds=60, what="a topic that takes records")
        first = producer._producer
        for deleted in Operator(operator).delete_topics([TOPIC]).values():
            await asyncio.to_thread(deleted.result, 20)

        async def replaced() -> bool:
            """So long that the client gives its first producer up, with records under way."""
            await all_published(batches)
            return producer.connected and producer._producer is not first

        await eventually(replaced, seconds=120, what="another producer")
        await asyncio.to_thread(ensure_topology, operator)
        await eventually(takes_all, seconds=45, what="the remade topic taking records")
