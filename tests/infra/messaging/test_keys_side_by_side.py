"""Keys of a batch that are handled side by side: one that has to wait holds up no other."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.commands import AddToWatchlist
from contracts.outcomes import Succeeded
from infra.messaging.batch_progress import Batch
from infra.messaging.dispatch import dispatch_each
from infra.messaging.inbound import InboundMessage, RetryableError
from tests.support.infra.batch_trial import ONE_BY_ONE, Trial, a_trial, order
from tests.support.postgres import Database


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
async def single(database: Database) -> Trial:
    return await a_trial(database, ONE_BY_ONE)


async def test_key_that_has_to_wait_cancels_no_other_key(single: Trial) -> None:
    """The others are slower than the failure, and are finished and reported all the same."""
    failed = asyncio.Event()

    async def handle(_deps: None, received: InboundMessage[Any]) -> None:
        if received.data.symbol == "WAITS":
            failed.set()
            raise RetryableError("has to wait")
        await failed.wait()
        async with single.deps.transactions.begin() as tx:
            tx.complete(received, Succeeded())

    single.work._handle = dispatch_each({AddToWatchlist: handle}, None)
    others = [order(f"S{n}", key=f"key {n}") for n in range(20)]
    batch = Batch([*others, order("WAITS", key="one that waits")])
    with pytest.raises(ExceptionGroup) as raised:
        await single.work.process(batch)
    assert [str(each) for each in raised.value.exceptions] == ["has to wait"]
    assert await single.handled() == len(others)
    assert set(batch.reached().values()) == {batch.records[-1].offset}


async def test_keys_that_are_cancelled_from_outside_end(single: Trial) -> None:
    """As when the process drains: what the batch waits for is given up with it."""
    began = asyncio.Event()
    ended: list[str] = []

    async def handle(_deps: None, received: InboundMessage[Any]) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(received.data.symbol)

    single.work._handle = dispatch_each({AddToWatchlist: handle}, None)
    taking = asyncio.create_task(single.take(order("A", key="a"), order("B", key="b")))
    await began.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert sorted(ended) == ["A", "B"]
