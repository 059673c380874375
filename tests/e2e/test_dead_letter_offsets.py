"""Dead letters and the offsets behind them, on a real broker: each is written once."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import pytest

from contracts.commands import AddToWatchlist
from contracts.topics import MAX_RECORD_BYTES, Consumer, Topic
from infra.kafka.consumer_groups import (
    Committed,
    GroupsError,
    committed,
    create_topic,
    delete_group,
    set_committed,
)
from infra.kafka.operator_client import Operator
from infra.kafka.records import Place
from infra.messaging.batch_progress import Failure, SetAside
from infra.messaging.dead_letters import NOTE, DeadLetters, read_from
from infra.messaging.dead_letters import Committed as CommittedNote
from infra.messaging.inbound import RetryableError
from tests.support.e2e.broker_view import kafka_settings
from tests.support.message_builders import a_record
from tests.support.stack import Stack

FAILURE = Failure("a trial", "unreadable")


@dataclass
class Trial:
    """A topic and a group of a consumer that runs nowhere else."""

    stack: Stack
    topic: Topic
    consumer: Consumer
    admin: Operator

    @property
    def place(self) -> Place:
        return self.topic.name, 0

    def process(self) -> DeadLetters:
        """What a process of this consumer writes with. One that is killed just stops."""
        return DeadLetters(
            kafka_settings(self.stack),
            self.consumer,
            (self.topic,),
            client_id="trial",
            committed=self._fetch,
        )

    async def _fetch(self, places: Sequence[Place]) -> Mapping[Place, CommittedNote]:
        found = committed(self.admin, self.consumer.group)
        return {p: (found[p].offset, found[p].note) if p in found else (-1, "") for p in places}

    def bad(self, *offsets: int) -> list[SetAside]:
        records = [a_record(AddToWatchlist(symbol="AAPL"), topic=self.topic.name) for _ in offsets]
        for record, offset in zip(records, offsets, strict=True):
            record.offset = offset
        return [SetAside(record, FAILURE) for record in records]

    def reached(self) -> int:
        """The offset that the group has committed. Kafka reports the first one a moment late."""
        return committed(self.admin, self.consumer.group)[self.place].offset

    def reset(self, offset: int) -> None:
        """As an operator's tools do it, which leave no note."""
        set_committed(self.admin, self.consumer.group, {self.place: Committed(offset)})

    async def written(self) -> list[int]:
        """Of which offsets there are dead letters, each as often as there are."""
        dead_letters = await self.stack.records(self.topic.dead_letters(self.consumer))
        return sorted(place[2] for dead_letter in dead_letters if (place := read_from(dead_letter)))


@pytest.fixture
async def trial(stack: Stack) -> AsyncIterator[Trial]:
    consumer = Consumer(f"trial-{uuid4().hex[:8]}")
    name = f"{consumer.name}.commands"
    topic = Topic(name, (AddToWatchlist,), "", "", (consumer,), None, partitions=1)
    admin = Operator(kafka_settings(stack))
    for each in (topic.name, topic.dead_letters(consumer), topic.redrive(consumer)):
        create_topic(admin, each, 1, MAX_RECORD_BYTES)
    yield Trial(stack, topic, consumer, admin)
    with suppress(GroupsError):  # one that has committed nothing is none
        delete_group(admin, consumer.group)
    for future in admin.delete_topics(
        [topic.name, topic.dead_letters(consumer), topic.redrive(consumer)]
    ).values():
        future.result(30)


async def test_offset_is_committed_with_the_dead_letters_before_it(trial: Trial) -> None:
    killed, started_again = trial.process(), trial.process()
    await killed.write(trial.place, trial.bad(0, 2, 5), 6)
    await started_again.write(trial.place, trial.bad(0, 2, 5), 6)
    assert await trial.written() == [0, 2, 5]
    assert trial.reached() == 6
    for offset in range(6, 16):
        await started_again.write(trial.place, trial.bad(offset), offset + 1)
        assert trial.reached() == offset + 1, "what is asked at once is told when it is settled"
    assert await trial.written() == [0, 2, 5, *range(6, 16)]
    await killed.release()
    await started_again.release()


async def test_process_that_comes_back_writes_nothing_more(trial: Trial) -> None:
    paused, owner = trial.process(), trial.process()
    await paused.write(trial.place, trial.bad(0), 1)
    await owner.write(trial.place, trial.bad(1), 2)
    with pytest.raises(RetryableError):
        await paused.write(trial.place, trial.bad(1, 2), 3)
    assert trial.reached() == 2
    assert await trial.written() == [0, 1]
    await paused.release()
    await owner.release()


async def test_after_a_reset_of_the_group_no_dead_letter_is_written_again(trial: Trial) -> None:
    before = trial.process()
    await before.write(trial.place, trial.bad(0, 2, 5), 6)
    await before.release()
    trial.reset(0)
    after = trial.process()
    await after.write(trial.place, trial.bad(0, 2), 4)
    await after.write(trial.place, trial.bad(5, 6), 7)
    assert await trial.written() == [0, 2, 5, 6]
    assert trial.reached() == 7
    assert committed(trial.admin, trial.consumer.group)[trial.place].note.startswith(NOTE), (
        "the next process need not read the dead letters again"
    )
    await after.release()
