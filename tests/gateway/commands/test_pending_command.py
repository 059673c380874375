"""What becomes of a wait for a command's result, with and without the broker's acknowledgement."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.outcomes import Succeeded
from gateway.commands.pending_command import PendingCommand, acknowledgement
from gateway.commands.results import CommandResult
from infra.kafka.batching_publisher import Acknowledged
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError

SHORT, LONG = 0.05, 60.0
"""How long the broker has to acknowledge a command."""
RESULT = CommandResult(Succeeded({}), None)


class Published:
    """A command that has been published; the test acknowledges it and gives its result."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.acknowledged: Acknowledged = loop.create_future()
        self.result: asyncio.Future[CommandResult] = loop.create_future()

    async def wait(self, seconds: float, *, publish_seconds: float = LONG) -> CommandResult | None:
        return await PendingCommand(
            self.acknowledged, self.result, publish_seconds=publish_seconds
        ).result(seconds)


@pytest.fixture
async def published() -> AsyncIterator[Published]:
    found = Published()
    yield found
    found.acknowledged.cancel()


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9, 1.0, 1.1, 2.0])
async def test_wait_without_an_acknowledgement_is_indeterminate_and_takes_the_command_back(
    published: Published, factor: float
) -> None:
    with pytest.raises(IndeterminateError):
        await published.wait(SHORT * factor, publish_seconds=SHORT)
    assert published.acknowledged.cancelled()


async def test_publishing_that_was_cancelled_before_the_wait_is_indeterminate(
    published: Published,
) -> None:
    published.acknowledged.cancel()
    with pytest.raises(IndeterminateError):
        await published.wait(0.0)
    with pytest.raises(IndeterminateError):
        await acknowledgement(published.acknowledged, SHORT)


@pytest.mark.parametrize("seconds", [0.0, LONG])
async def test_failure_of_the_broker_is_raised_at_once(
    published: Published, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, published.acknowledged.set_exception, BrokerUnavailableError())
    with pytest.raises(BrokerUnavailableError):
        await published.wait(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_acknowledged_command_without_a_result_in_time_is_pending(
    published: Published, seconds: float
) -> None:
    published.acknowledged.set_result(None)
    assert await published.wait(seconds) is None
    assert not published.result.done() or published.result.cancelled()


async def test_result_after_the_acknowledgement_is_returned(published: Published) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(0.005, published.acknowledged.set_result, None)
    loop.call_later(0.05, published.result.set_result, RESULT)
    assert await published.wait(LONG) is RESULT


async def test_result_before_the_acknowledgement_is_returned_without_waiting_for_it(
    published: Published,
) -> None:
    asyncio.get_running_loop().call_later(0.005, published.result.set_result, RESULT)
    assert await published.wait(LONG) is RESULT
    assert not published.acknowledged.done()


async def test_client_that_does_not_wait_gets_no_result_that_came_meanwhile(
    published: Published,
) -> None:
    waiting = asyncio.create_task(published.wait(0.0))
    await asyncio.sleep(0)
    published.result.set_result(RESULT)
    published.acknowledged.set_result(None)
    assert await waiting is None
