"""Reading a bounded range from a broker that may fall silent."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from pydantic import SecretStr

from infra.kafka import broadcast_consumer
from infra.kafka.broadcast_consumer import read_range, watching
from infra.kafka.records import Place
from infra.runtime.settings import KafkaSettings

PLACE: Place = ("users.events", 0)
SETTINGS = KafkaSettings(
    kafka_bootstrap="broker.example.com:9092",
    kafka_username="test",
    kafka_password=SecretStr("a long enough password"),
)


class Silent:
    """What aiokafka is while the broker is away: it finds nothing, and does not say why."""

    stopped = 0

    def __init__(self, **_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    def assign(self, places: Sequence[TopicPartition]) -> None:
        pass

    def seek(self, place: TopicPartition, offset: int) -> None:
        pass

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[Any, int]:
        return dict.fromkeys(places, 9)

    async def getmany(self, *, timeout_ms: int) -> dict[Any, Any]:  # noqa: ARG002  aiokafka's
        await asyncio.sleep(0.001)
        return {}

    async def position(self, place: TopicPartition) -> int:  # noqa: ARG002  aiokafka's
        return 0

    async def stop(self) -> None:
        Silent.stopped += 1


async def test_a_broker_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_consumer, "AIOKafkaConsumer", Silent)
    monkeypatch.setattr(broadcast_consumer, "SILENT_SECONDS", 0.05)
    reading = read_range(SETTINGS, client_id="test", place=PLACE, start=0, until=9)
    async with asyncio.timeout(2):
        with pytest.raises(TimeoutError, match=r"users\.events.* silent"):
            await anext(reading)
    assert Silent.stopped == 1


async def test_a_consumer_that_is_cancelled_by_itself_as_it_stops_cancels_no_one_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[str] = []

    class Client:
        async def close(self) -> None:
            closed.append("client")

    class HalfStopped(Silent):
        """What aiokafka is while its fetch waits to try again: the client is left open."""

        _client = Client()

        async def stop(self) -> None:
            raise asyncio.CancelledError

    monkeypatch.setattr(broadcast_consumer, "AIOKafkaConsumer", HalfStopped)
    with pytest.raises(KafkaTimeoutError):
        async with watching(SETTINGS, client_id="test", history={PLACE: 0}):
            raise KafkaTimeoutError
    assert closed == ["client"]
