"""A batch, with real transactions; only the topics of dead letters are in memory."""

import asyncio

import asyncpg
import pytest

from contracts.commands import AddToWatchlist
from infra.messaging.batch_progress import Batch
from infra.messaging.call_result import DOWN
from infra.messaging.dispatch import dispatch_each
from infra.messaging.inbound import InboundMessage, PoisonError, RetryableError
from infra.messaging.transaction import ConcurrentDeliveryError
from tests.support.infra.batch_trial import (
    ONE_BY_ONE,
    Trial,
    again,
    order,
)

pytestmark = pytest.mark.usefixtures("silent")


async def test_a_good_batch_is_handled_at_once(bulk: Trial) -> None:
    await bulk.take(order("A"), order("B"), order("C", key="bert"))
    assert bulk.deps.batches == [["A", "B", "C"]]
    assert await bulk.handled() == 3


async def test_bad_records_are_set_aside_and_the_rest_is_handled(trial: Trial) -> None:
    broken, unknown, tombstone, headless = (order("X") for _ in range(4))
    broken.value, tombstone.value = b"{", None
    unknown.headers = [(n, b"fly" if n == "ce_type" else v) for n, v in unknown.headers]
    headless.headers = [("ce_id", None)]
    await trial.take(broken, order("A"), unknown, tombstone, order("B"), headless)
    assert trial.deps.tried == ["A", "B"]
    assert trial.set_aside == [broken, unknown, tombstone, headless]
    parked = await trial.database.fetch("SELECT FROM parked_commands")
    assert len(parked) == 3, "the fourth has no id"


async def test_a_batch_of_bad_records_alone_calls_no_one(trial: Trial) -> None:
    record = order("X")
    record.value = b"{"
    await trial.take(record)
    assert not trial.deps.batches


async def test_a_repetition_is_announced_again_and_not_handled(trial: Trial) -> None:
    record = order("A")
    await trial.take(record)
    await trial.take(again(record), order("B"))
    assert trial.deps.tried == ["A", "B"]
    announced = [a.command_id for a in trial.outcome_notifier.announced]
    assert len(announced) == 3
    assert announced.count(announced[0]) == 2


async def test_a_repetition_within_the_batch_is_announced_too(trial: Trial) -> None:
    record = order("A")
    await trial.take(record, again(record))
    assert trial.deps.tried == ["A"]
    assert len(trial.outcome_notifier.announced) == 2
    assert await trial.handled() == 1


async def test_halving_by_whole_keys_isolates_the_bad_record(bulk: Trial) -> None:
    bulk.deps.fails_for("K5-1")
    records = [order(f"K{k}-{n}", key=f"key {k}") for n in range(3) for k in range(16)]
    await bulk.take(*records)
    assert bulk.set_aside == [records[16 + 5]]
    assert await bulk.handled() == 47
    for batch in bulk.deps.batches:
        for k in range(16):
            mine = [symbol for symbol in batch if symbol.startswith(f"K{k}-")]
            assert mine == sorted(mine)


async def test_what_comes_after_a_bad_record_of_its_key_is_handled(trial: Trial) -> None:
    trial.deps.fails_for("B")
    records = [order("A"), order("B"), order("C")]
    await trial.take(*records)
    assert trial.set_aside == [records[1]]
    assert await trial.handled() == 2


async def test_a_failing_record_is_tried_as_often_as_the_policy_says(single: Trial) -> None:
    single.deps.fails_for("A")
    await single.take(order("A"))
    assert single.deps.tried == ["A"] * ONE_BY_ONE.attempts
    [dead_letter] = single.dead_letters.written
    assert dead_letter.failure.attempts == ONE_BY_ONE.attempts
    assert dead_letter.failure.first_at
    assert dead_letter.failure.reason == "LookupError in a handler", "never the text of the error"


async def test_poison_is_set_aside_at_once_with_its_reason(single: Trial) -> None:
    single.deps.fails_for("A", error=PoisonError("a command without an actor"))
    await single.take(order("A"))
    assert single.deps.tried == ["A"]
    assert single.reasons == ["a command without an actor"]


async def test_order_is_kept_within_a_key_while_keys_go_side_by_side(single: Trial) -> None:
    begun: list[str] = []
    anna_goes_on = asyncio.Event()

    async def handle(_deps: None, received: InboundMessage[AddToWatchlist]) -> None:
        begun.append(received.data.symbol)
        if received.data.symbol == "A1":
            await anna_goes_on.wait()
        if received.data.symbol == "B2":
            anna_goes_on.set()

    single.work._handle = dispatch_each({AddToWatchlist: handle}, None)
    async with asyncio.timeout(5):
        await single.take(order("A1"), order("A2"), order("B1", key="b"), order("B2", key="b"))
    assert begun.index("A1") < begun.index("A2")
    assert begun.index("B2") < begun.index("A2")


@pytest.mark.parametrize(
    "error",
    [
        RetryableError("away"),
        ConnectionRefusedError(),
        asyncpg.CannotConnectNowError("starting"),
        ExceptionGroup("from a task group", [TimeoutError(), LookupError()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_while_a_dependency_is_down_nothing_is_set_aside(
    trial: Trial, error: Exception
) -> None:
    trial.deps.fails_for("B", error=error)
    records = [order("A", key="a"), order("B", key="b"), order("C", key="c")]
    for _ in range(5):
        with pytest.raises((ExceptionGroup, *DOWN)):
            await trial.take(*records)
    assert not trial.set_aside
    trial.deps.fails_for()
    await trial.take(*records)
    assert await trial.handled() == 3
    assert not trial.set_aside


async def test_a_bad_record_is_set_aside_once_however_often_the_rest_comes(trial: Trial) -> None:
    bad, failing, held, last = order("X"), order("F", key="f"), order("D", key="z"), order("X")
    bad.value = last.value = b"{"
    faults: dict[str, Exception] = {"F": LookupError(), "D": RetryableError("away")}
    trial.deps.fault = faults.get
    left = [bad, failing, held, last]
    for _ in range(4):
        batch = Batch(left)
        with pytest.raises((ExceptionGroup, *DOWN)):
            await trial.work.process(batch)
        left = [r for r in left if r.offset >= batch.reached()[r.topic, 0]]
    del faults["D"]
    await trial.take(*left)
    assert trial.set_aside == [bad, failing, last]
    assert await trial.handled() == 1


async def test_a_delivery_at_the_same_time_elsewhere_is_waited_for(trial: Trial) -> None:
    trial.deps.fails_for("A", error=ConcurrentDeliveryError())
    with pytest.raises((ExceptionGroup, RetryableError)):
        await trial.take(order("A"))
    assert not trial.set_aside


async def test_transactions_that_met_are_tried_again_at_once(trial: Trial) -> None:
    faults = iter([asyncpg.DeadlockDetectedError("met"), asyncpg.SerializationError("met")])
    trial.deps.fault = lambda _: next(faults, None)
    await trial.take(order("A"))
    assert trial.deps.tried == ["A"] * 3
    assert not trial.set_aside


async def test_transactions_that_keep_meeting_blame_no_message(trial: Trial) -> None:
    trial.deps.fails_for("A", error=asyncpg.DeadlockDetectedError("met"))
    with pytest.raises((ExceptionGroup, RetryableError)):
        await trial.take(order("A"))
    assert not trial.set_aside
