"""Kafka over SASL_SSL, by both client libraries."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError
from structlog.testing import capture_logs

from contracts.commands import AddToWatchlist
from contracts.topics import (
    ACCOUNTS_COMMANDS,
    SIGNIN_COMMANDS,
    SIGNUP_COMMANDS,
    WATCHLIST,
    WATCHLIST_COMMANDS,
)
from infra.kafka.admin import (
    Changes,
    Grant,
    TopologyError,
    binding,
    binding_filter,
    compare_topology,
    ensure_topology,
)
from infra.kafka.batch_fetcher import BatchFetcher, BatchFetchingConsumer
from infra.kafka.broadcast_consumer import watching
from infra.kafka.connection import connection_options
from infra.kafka.operator_client import Operator, UnreachableError
from infra.kafka.producer import Producer
from infra.kafka.scram_users import ensure_users
from infra.messaging.consumer_options import ConsumerOptions
from infra.messaging.consumer_policy import Policy
from infra.messaging.consumer_shell import ConsumerShell
from infra.runtime.settings import KafkaSettings
from operations.broker import Broker
from operations.errors import OpsError
from tests.support.infra.tls.authority import Authority
from tests.support.infra.tls.broker import OF_ANOTHER_HOST, TlsBroker
from tests.support.message_builders import a_record
from tests.support.waiting import until

SECONDS = 5.0
TOPIC = WATCHLIST_COMMANDS.name
UNUSED = (ACCOUNTS_COMMANDS.name, SIGNIN_COMMANDS.name)
SHARED = SIGNUP_COMMANDS.name


@pytest.fixture(scope="module")
async def made(broker: TlsBroker) -> TlsBroker:
    """A broker with the users and topics of an installation, made over TLS as `qnt9 setup` does."""
    settings = broker.settings()
    await asyncio.to_thread(ensure_users, settings, broker.credentials.roles_of_kafka)
    changes = await asyncio.to_thread(ensure_topology, settings)
    assert changes.missing_topics
    return broker


@pytest.fixture
async def resources() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def nobody_asks(_: Sequence[Any]) -> None:
    raise AssertionError


def a_shell(settings: KafkaSettings, handle: Any = nobody_asks) -> ConsumerShell:
    return ConsumerShell(
        WATCHLIST,
        settings,
        handle,
        ConsumerOptions(client_id="test", transactions=None, policy=Policy(in_bulk=True)),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_operator_makes_and_compares_the_topology(made: TlsBroker, host: str) -> None:
    changes = await asyncio.to_thread(compare_topology, made.settings(host=host))
    assert not changes, changes.lines()


@pytest.mark.parametrize("of", [Grant.of_prefix, partial(Grant, host="192.0.2.7")])
async def test_a_right_of_another_pattern_or_host_is_not_the_one_that_is_wanted(
    made: TlsBroker, of: Callable[..., Grant]
) -> None:
    """It is taken away, and what is wanted is made beside it."""
    wanted = Grant("gateway", "WRITE", "topic", TOPIC)
    other = of(wanted.principal, wanted.operation, wanted.kind, wanted.name)
    operator = Operator(made.settings())
    [given] = operator.create_acls([binding(other)]).values()
    await asyncio.to_thread(given.result, SECONDS)
    [taken] = operator.delete_acls([binding_filter(wanted)]).values()
    await asyncio.to_thread(taken.result, SECONDS)

    async def compare() -> Changes:
        return await asyncio.to_thread(compare_topology, made.settings())

    async def known() -> bool:
        changes = await compare()
        return changes == Changes(missing_grants=(wanted,), surplus_grants=(other,))

    await until(known)
    await asyncio.to_thread(ensure_topology, made.settings())
    changes = await compare()
    assert not changes, changes.lines()


async def test_a_command_is_published_and_consumed_by_those_who_may(
    made: TlsBroker, resources: AsyncExitStack
) -> None:
    taken: list[Any] = []

    async def handle(messages: Sequence[Any]) -> None:
        taken.extend(messages)

    producer = await resources.enter_async_context(
        Producer(made.settings("gateway"), client_id="test")
    )
    await until(lambda: producer.connected)
    shell = a_shell(made.settings("watchlist"), handle)
    resources.push_async_callback(shell.stop)
    await shell.run()
    record = a_record(AddToWatchlist(symbol="AAPL"))
    await producer.publish(
        TOPIC, key=record.key, value=record.value, headers=record.headers, seconds=SECONDS
    )
    await until(lambda: bool(taken), seconds=20)
    assert shell.problem is None
    assert taken[0].data == AddToWatchlist(symbol="AAPL")


class FaultyOnce:
    """Raises what a corrupt record makes aiokafka raise, when a second partition comes to be read.

    By then it has given out the records of the first, and moved on in it.
    """

    def __init__(self) -> None:
        self.partition: bytes | None = None
        self.raised = False

    def __call__(self, value: bytes) -> bytes:
        partition = value.partition(b" ")[0]
        self.partition = self.partition or partition
        if not self.raised and partition != self.partition:
            self.raised = True
            raise CorruptRecordException("once")
        return value


@pytest.mark.parametrize("known", [True, False])
async def test_what_a_failed_fetch_has_drained_comes_again(
    made: TlsBroker, resources: AsyncExitStack, known: bool
) -> None:
    """Also when where it began was not known yet, as after a rebalance."""
    topic = UNUSED[known]
    faulty = FaultyOnce()
    options = connection_options(made.settings())
    producer = await resources.enter_async_context(AIOKafkaProducer(**options))
    places = [TopicPartition(topic, number) for number in range(2)]
    sent = [b"%d %d" % (place.partition, number) for place in places for number in range(5)]
    for value in sent:
        number = int(value.partition(b" ")[0])
        await producer.send_and_wait(topic, value, partition=number)
    consumer = BatchFetchingConsumer(
        **options,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        value_deserializer=faulty,
    )
    consumer.batch_fetcher = BatchFetcher(lambda: None)
    await resources.enter_async_context(consumer)
    consumer.assign(places)
    if known:
        for place in places:
            consumer.seek(place, 0)
    taken: list[bytes] = []
    async with asyncio.timeout(20):
        while len(taken) < len(sent):
            try:
                fetched = await consumer.getmany(timeout_ms=100, max_records=100)
            except CorruptRecordException:
                continue
            taken += [record.value for records in fetched.values() for record in records]
    assert faulty.raised
    assert sorted(taken) == sent


async def test_backlog_of_one_partition_holds_up_no_other(
    made: TlsBroker, resources: AsyncExitStack
) -> None:
    options = connection_options(made.settings())
    producer = await resources.enter_async_context(AIOKafkaProducer(**options))
    places = [TopicPartition(SHARED, number) for number in range(2)]
    for place, count in zip(places, (60, 5), strict=True):
        for _ in range(count):
            await producer.send_and_wait(SHARED, b"{}", partition=place.partition)
    consumer = BatchFetchingConsumer(**options, enable_auto_commit=False)
    consumer.batch_fetcher = BatchFetcher(lambda: None)
    await resources.enter_async_context(consumer)
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    fetched = await consumer.getmany(timeout_ms=10_000, max_records=20)
    offsets = {place: [record.offset for record in fetched[place]] for place in places}
    assert offsets == {places[0]: list(range(15)), places[1]: list(range(5))}


async def test_an_operators_tools_ask_over_tls(made: TlsBroker) -> None:
    async with Broker(made.settings()) as asked:
        assert await asked.partitions_of(TOPIC) == WATCHLIST_COMMANDS.partitions
        assert await asked.ends([(TOPIC, 0)])


@pytest.fixture(params=["another authority", "no authority", "another host", "in clear"])
def refused(
    request: pytest.FixtureRequest, broker: TlsBroker, stranger: Authority
) -> KafkaSettings:
    """Settings with which there must be no connection."""
    match request.param:
        case "another authority":
            return broker.settings(authority=stranger.file)
        case "no authority":
            return broker.settings().model_copy(update={"kafka_ca_file": None})
        case "another host":
            return broker.settings(port=OF_ANOTHER_HOST)
    return broker.settings(protocol="SASL_PLAINTEXT")


async def test_a_process_that_is_refused_goes_on_says_so_and_stops_when_asked(
    refused: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="aiokafka")
    with capture_logs() as logs:
        async with Producer(refused, client_id="test") as producer:
            shell = a_shell(refused)
            running = asyncio.create_task(shell.run())
            seen = {"broker_unreachable", "consumer_waits_for_broker"}
            await until(lambda: seen <= {entry["event"] for entry in logs})
            assert not producer.connected
            assert shell.problem == "not connected to the broker yet"
            began = time.monotonic()
            await shell.stop()
            await running
    assert time.monotonic() - began < SECONDS
    said = "Connection at" if refused.kafka_protocol == "SASL_PLAINTEXT" else "certificate verify"
    assert said in caplog.text


async def test_a_reader_without_a_group_is_refused(refused: KafkaSettings) -> None:
    async with asyncio.timeout(SECONDS):
        with pytest.raises(KafkaError):
            async with watching(refused, client_id="test", history={(TOPIC, 0): 1}):
                pass


async def test_an_operators_tools_are_refused_with_what_to_look_at(refused: KafkaSettings) -> None:
    async with asyncio.timeout(SECONDS):
        with pytest.raises(OpsError, match="password and CA file"):
            async with Broker(refused):
                pass


async def test_the_operator_is_informed_why_there_is_no_connection(refused: KafkaSettings) -> None:
    """By confluent-kafka, whose requests fail with a time-out whatever it was."""
    operator = Operator(refused, seconds=1.5)
    with pytest.raises(UnreachableError) as reported:
        await asyncio.to_thread(operator.topics)
    said = (
        "does it speak SASL_PLAINTEXT"
        if refused.kafka_protocol == "SASL_PLAINTEXT"
        else "certificate"
    )
    assert said in str(reported.value)


async def test_what_cannot_be_fixed_by_waiting_is_reported_at_once(
    broker: TlsBroker, stranger: Authority
) -> None:
    untrusted = broker.settings(authority=stranger.file)
    unknown = broker.settings(password="another-password-7")
    began = time.monotonic()
    with pytest.raises(TopologyError, match="certificate could not be verified"):
        await asyncio.to_thread(compare_topology, untrusted)
    with pytest.raises(TopologyError, match="certificate could not be verified"):
        await asyncio.to_thread(ensure_users, untrusted, {"gateway": "a-word-of-no-use"})
    with pytest.raises(TopologyError, match="Authentication failed") as reported:
        await asyncio.to_thread(compare_topology, unknown)
    assert "another-password-7" not in str(reported.value)
    assert time.monotonic() - began < 2 * SECONDS
