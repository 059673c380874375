"""What a client is told when the broker does not acknowledge: always a problem, in time."""

import asyncio
from typing import cast

import pytest

from gateway.commands.publisher import CommandPublisher
from gateway.commands.results import CommandResult
from gateway.settings import GatewaySettings
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError

PUBLISH_SECONDS = 0.05


class Publishing(CommandPublisher):
    """Commands of which only the wait for the broker is tried."""

    def __init__(self) -> None:
        self._settings = GatewaySettings.model_construct(publish_seconds=PUBLISH_SECONDS)


async def wait(
    commands: CommandPublisher, acknowledged: asyncio.Future[None], seconds: float
) -> CommandResult | None:
    """As `perform` waits: for the outcome as long as is preferred, then for the broker."""
    waiting: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
    command_result = await commands._outcome(acknowledged, waiting, seconds)
    await commands._acknowledged(acknowledged)
    return command_result


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.1, 2.0])
async def test_wait_that_ends_with_the_publishing_is_indeterminate_and_not_cancelled(
    factor: float,
) -> None:
    acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(IndeterminateError):
        await wait(Publishing(), acknowledged, PUBLISH_SECONDS * factor)


async def test_publishing_that_was_cancelled_before_the_wait_is_indeterminate() -> None:
    acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    acknowledged.cancel()
    with pytest.raises(IndeterminateError):
        await Publishing()._acknowledged(acknowledged)


async def test_failure_of_the_broker_reaches_whoever_waits() -> None:
    acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(
        0.01, acknowledged.set_exception, BrokerUnavailableError()
    )
    with pytest.raises(BrokerUnavailableError):
        await wait(Publishing(), acknowledged, 0.0)


async def test_acknowledged_publishing_without_an_outcome_is_pending() -> None:
    acknowledged = cast("asyncio.Future[None]", asyncio.get_running_loop().create_future())
    acknowledged.set_result(None)
    assert await wait(Publishing(), acknowledged, 0.01) is None
