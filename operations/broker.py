"""The broker as these tools use it: offsets and bounded reads, without a consumer group."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import MAX_DEAD_LETTER_BYTES
from infra.kafka import consumer_groups as on_groups
from infra.kafka.connection import reader_options
from infra.kafka.consumer_groups import Committed, GroupsError, Place
from infra.kafka.operator_client import Operator
from infra.observability.error_text import describe
from infra.runtime.settings import KafkaSettings
from operations.errors import CutOffError, OpsError
from operations.kafka_client import KafkaClient

P = ParamSpec("P")
T = TypeVar("T")

SILENT_SECONDS = 30.0
ASK_AGAIN_SECONDS = 10.0
"""A topic that is followed and says nothing: then the broker is asked whether it is there."""
REQUEST_MS = 20_000


@dataclass(frozen=True, slots=True)
class Range:
    """Records of one partition: from `start` on, and before `until`."""

    partition: int
    start: int
    until: int

    @property
    def is_empty(self) -> bool:
        return self.start >= self.until


@dataclass(frozen=True, slots=True)
class Batch:
    """Records as they lie in one partition; `position` is the offset after them."""

    partition: int
    records: list[Any]
    position: int


class Broker(KafkaClient):
    """One connection for a command. Raises `OpsError` when the broker is not there."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._admin = Operator(settings)
        self._consumer = AIOKafkaConsumer(
            **reader_options(settings, "qnt9-ops"),
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_DEAD_LETTER_BYTES + 65_536,
            request_timeout_ms=REQUEST_MS,
        )
        super().__init__(settings, self._consumer)

    async def partitions(self) -> dict[str, int]:
        """How many partitions each topic has."""
        return await self._ask(on_groups.partitions)

    async def partitions_of(self, topic: str) -> int:
        """Raises `OpsError` for a topic that is not there."""
        try:
            return (await self.partitions())[topic]
        except KeyError:
            raise OpsError(f"the broker has no topic {topic!r}") from None

    async def groups(self) -> list[str]:
        return await self._ask(on_groups.group_ids)

    async def members(self, names: Iterable[str]) -> dict[str, int]:
        return await self._ask(on_groups.members_of, names)

    async def committed(self, group: str) -> dict[Place, Committed]:
        return await self._ask(on_groups.committed, group)

    async def set_committed(self, group: str, offsets: Mapping[Place, Committed]) -> None:
        await self._ask(on_groups.set_committed, group, offsets)

    async def delete_group(self, group: str) -> None:
        await self._ask(on_groups.delete_group, group)

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        return await self._offsets(self._consumer.beginning_offsets, places)

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where what can be read ends."""
        return await self._offsets(self._consumer.end_offsets, places)

    async def firsts_since(
        self, places: Iterable[Place], timestamp_ms: int
    ) -> dict[Place, int | None]:
        """The first record with this timestamp or a later one; None where there is none yet."""
        asked = {TopicPartition(*place): timestamp_ms for place in places}
        found = await self._bounded(self._consumer.offsets_for_times(asked))
        return {
            (p.topic, p.partition): None if at is None or at.offset < 0 else at.offset
            for p, at in found.items()
        }

    async def read(
        self, topic: str, ranges: Iterable[Range], *, at_most: int = 500
    ) -> AsyncIterator[Batch]:
        """Everything in these ranges, in order within each partition, then it ends."""
        left = {TopicPartition(topic, r.partition): r for r in ranges if not r.is_empty}
        if not left:
            return
        self._consumer.assign(list(left))
        for place, each in left.items():
            self._consumer.seek(place, each.start)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while left:
            found = await self._fetch(topic, *left, timeout_ms=200, max_records=at_most)
            for place in list(left):
                batch = await self._batch(place, left[place].until, found.get(place, ()))
                is_read = batch.position >= left[place].until
                if batch.records or is_read:
                    heard = loop.time()
                    yield batch
                if is_read:
                    del left[place]
                    self._consumer.pause(place)
            if loop.time() - heard > SILENT_SECONDS:
                raise CutOffError(topic, TimeoutError())

    async def _batch(self, place: TopicPartition, until: int, found: Iterable[Any]) -> Batch:
        """What was fetched of a partition, without what lies behind its range."""
        position = min(await self._consumer.position(place), until)
        return Batch(place.partition, [r for r in found if r.offset < until], position)

    async def follow(self, topic: str, starts: Mapping[int, int]) -> AsyncGenerator[Any, None]:
        """Every record from these offsets on, as it comes, for ever.

        Raises `OpsError` when the broker goes away: its client alone would wait without a word.
        """
        places = {TopicPartition(topic, p): offset for p, offset in starts.items()}
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            found = await self._fetch(topic, timeout_ms=500)
            for record in sorted(
                (r for records in found.values() for r in records), key=lambda r: r.timestamp
            ):
                yield record
            if found:
                heard = loop.time()
            elif loop.time() - heard > ASK_AGAIN_SECONDS:
                await self.ends([(topic, number) for number in starts])
                heard = loop.time()

    async def _fetch(self, topic: str, *places: TopicPartition, **options: int) -> dict[Any, Any]:
        try:
            found: dict[Any, Any] = await self._consumer.getmany(*places, **options)
        except KafkaError as error:
            raise CutOffError(topic, error) from error
        return found

    async def create_topic(self, name: str, like: str) -> None:
        """With as many partitions as another topic; what is in it is kept until it is deleted."""
        partitions = await self.partitions_of(like)
        await self._ask(on_groups.create_topic, name, partitions, MAX_DEAD_LETTER_BYTES)

    async def _ask(
        self,
        question: Callable[Concatenate[Operator, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        try:
            return await asyncio.to_thread(question, self._admin, *arguments, **options)
        except GroupsError as error:
            raise OpsError(str(error)) from error

    async def _offsets(self, question: Any, places: Iterable[Place]) -> dict[Place, int]:
        # Topic by topic, all at once: in one question each topic's metadata would be waited for
        # after that of the one before, half a second each.
        topics: dict[str, list[TopicPartition]] = {}
        for place in places:
            topics.setdefault(place[0], []).append(TopicPartition(*place))
        answers = await self._bounded(asyncio.gather(*map(question, topics.values())))
        return {(p.topic, p.partition): int(at) for found in answers for p, at in found.items()}

    async def _bounded(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                return await answer
        except (KafkaError, OSError, TimeoutError) as error:
            raise OpsError(
                f"Kafka at {self._settings.kafka_bootstrap} does not answer: {describe(error)}"
            ) from error
