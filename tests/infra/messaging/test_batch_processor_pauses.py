"""When a batch processor pauses its consumer, and what operators tell it."""

import pytest

from contracts.commands import AddToWatchlist
from infra.messaging.batch_progress import Batch
from infra.messaging.consumer_policy import Policy
from infra.messaging.failure_guard import MIN_SOURCES_OF_LATEST
from infra.messaging.failure_pause import GuardTrippedError
from infra.messaging.inbound import PoisonError, RetryableError
from infra.messaging.restored_database import AwaitedError
from tests.support.infra.batch_trial import (
    Trial,
    a_trial,
    again,
    instruction,
    order,
)
from tests.support.message_builders import (
    ARecord,
    a_record,
    an_envelope,
)
from tests.support.postgres import Database

pytestmark = pytest.mark.usefixtures("silent")


async def test_unreadable_records_never_pause_a_consumer(trial: Trial) -> None:
    bad = [order("X", key=f"key {n}") for n in range(1_000)]
    for record in bad:
        record.value = b"{"
    await trial.take(*bad, order("A"))
    assert trial.set_aside == bad
    assert trial.deps.tried == ["A"]
    assert trial.work.controls.paused is None


async def test_input_that_a_handler_refuses_never_pauses_a_consumer(trial: Trial) -> None:
    trial.deps.fails_for("X", error=PoisonError("refused"))
    bad = [order("X", key=f"key {n}") for n in range(60)]
    await trial.take(*bad, order("A"))
    assert len(trial.set_aside) == 60
    assert await trial.handled() == 1
    assert trial.work.controls.paused is None


async def test_one_key_that_always_fails_pauses_no_one_else(trial: Trial) -> None:
    trial.deps.fails_for("X")
    bad = [order("X", key="one user") for _ in range(25)]
    await trial.take(*bad, order("A"))
    assert trial.set_aside == bad
    assert await trial.handled() == 1
    assert trial.work.controls.paused is None


def of_many_senders(symbol: str, count: int) -> list[ARecord]:
    return [order(symbol, key=f"key {n}") for n in range(count)]


async def paused(trial: Trial, senders: int = 25) -> list[ARecord]:
    """The records of many senders that made the consumer pause."""
    trial.deps.fails_for("X")
    records = of_many_senders("X", senders)
    with pytest.raises((ExceptionGroup, GuardTrippedError)):
        await trial.take(*records)
    assert trial.work.controls.paused
    return records


async def test_failures_of_many_senders_pause_and_what_was_set_aside_is_written(
    trial: Trial,
) -> None:
    records = await paused(trial)
    written = len(trial.set_aside)
    assert written < MIN_SOURCES_OF_LATEST
    assert trial.set_aside == records[:written]
    for _ in range(3):
        with pytest.raises(GuardTrippedError):
            await trial.take(*records[written:])
    assert len(trial.set_aside) == written


async def test_a_pause_ends_by_itself_when_the_handler_works_again(trial: Trial) -> None:
    records = await paused(trial)
    written = len(trial.set_aside)
    trial.deps.fails_for()
    await trial.take(*records[written:])
    assert trial.work.controls.paused is None
    assert await trial.handled() == len(records) - written


async def test_a_pause_ends_although_some_senders_still_fail(trial: Trial) -> None:
    records = await paused(trial)
    left = records[len(trial.set_aside) :]
    trial.deps.fails_for("X")
    good = [order("A", key=f"other {n}") for n in range(2 * len(left))]
    await trial.take(*(each for n, bad in enumerate(left) for each in (*good[2 * n :][:2], bad)))
    assert trial.work.controls.paused is None
    assert await trial.handled() == len(good)


async def test_while_paused_too_few_senders_to_report_hold_no_one_up(trial: Trial) -> None:
    records = await paused(trial)
    written = len(trial.set_aside)
    bad = [records[-1], again(records[-1])]
    bad[1].headers = a_record(AddToWatchlist(symbol="X")).headers
    await trial.take(*bad)
    assert len(trial.set_aside) == written + 2
    assert trial.work.controls.paused, "nothing has shown that the handler works"


async def test_a_restarted_consumer_is_paused_as_before(trial: Trial) -> None:
    await paused(trial)
    trial.work._pause.guard.reset()
    trial.work.controls.changed = True
    with pytest.raises(GuardTrippedError):
        await trial.take(*of_many_senders("X", 5))


async def test_a_paused_consumer_goes_on_when_an_operator_resumes_it(trial: Trial) -> None:
    await paused(trial)
    written = len(trial.set_aside)
    trial.work.controls.paused, trial.work.controls.changed = None, True
    await trial.take(*of_many_senders("X", 5))
    assert len(trial.set_aside) == written + 5


async def test_what_is_finished_is_written_although_the_rest_is_held(trial: Trial) -> None:
    bad, behind = order("X"), order("Y")
    bad.value = behind.value = b"{"
    trial.deps.fails_for("D", error=RetryableError("away"))
    held = order("D", key="z")
    batch = Batch([bad, held, behind])
    with pytest.raises((ExceptionGroup, RetryableError)):
        await trial.work.process(batch)
    assert trial.set_aside == [bad]
    assert batch.reached() == {(bad.topic, 0): held.offset}
    trial.deps.fails_for()
    await trial.take(held, behind)
    assert trial.set_aside == [bad, behind]


async def test_an_instruction_to_skip_gives_a_command_an_outcome(trial: Trial) -> None:
    first, skipped, last = order("A"), order("B"), order("C")
    trial.work.controls.instructions = [instruction("skip", skipped)]
    await trial.take(first, skipped, last)
    assert trial.deps.tried == ["A", "C"]
    assert not trial.set_aside
    [row] = await trial.database.fetch(
        "SELECT outcome FROM inbox WHERE outcome->>'status' = 'failed'"
    )
    assert row["outcome"]["code"] == "discarded"


async def test_an_instruction_to_set_aside_needs_no_handler(trial: Trial) -> None:
    first, aside = order("A"), order("B")
    trial.work.controls.instructions = [instruction("set-aside", aside)]
    await trial.take(first, aside)
    assert trial.deps.tried == ["A"]
    assert trial.set_aside == [aside]
    assert trial.reasons == ["set aside by ada: a trial"]


async def test_a_reply_goes_to_the_channel_of_the_delivery_that_repeats(single: Trial) -> None:
    command = AddToWatchlist(symbol="A")
    envelope = an_envelope(command, reply_to="one gateway")
    await single.take(a_record(command, envelope=envelope))
    repeated = an_envelope(command, id=envelope.id, reply_to="another gateway")
    await single.take(a_record(command, envelope=repeated))
    assert [a.channel for a in single.outcome_notifier.announced] == [
        "one gateway",
        "another gateway",
    ]


async def test_message_that_waits_for_other_consumers_holds_no_other_key_of_a_bulk(
    bulk: Trial,
) -> None:
    """Each consumer comes as far as it can, so two that wait for one another cannot block."""
    bulk.deps.fails_for("WAITS", error=AwaitedError("not yet"))
    batch = Batch([order("A"), order("WAITS"), order("B"), order("C", key="bert")])
    with pytest.raises(ExceptionGroup):
        await bulk.work.process(batch)
    assert await bulk.handled() == 2
    assert bulk.set_aside == []
    bulk.deps.fails_for()
    await bulk.work.take(batch.records)
    assert await bulk.handled() == 4


async def test_message_that_waits_holds_every_other_one_of_an_ordered_bulk(
    database: Database,
) -> None:
    """A hash chain takes records in the order of their offsets."""
    trial = await a_trial(database, Policy(in_bulk=True, ordered=True))
    trial.deps.fails_for("WAITS", error=AwaitedError("not yet"))
    batch = Batch([order("A"), order("WAITS"), order("C", key="bert")])
    with pytest.raises(AwaitedError):
        await trial.work.process(batch)
    assert await trial.handled() == 0
