"""A client's own trouble in stopping hides nothing; a real cancellation is felt."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from operations.client_shutdown import stopped
from operations.errors import OpsError


async def failing(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), KafkaConnectionError(), TimeoutError(), OSError()]
)
async def test_what_stopping_raises_does_not_hide_why_it_is_stopped(error: BaseException) -> None:
    async def cut_off() -> None:
        try:
            raise OpsError("Kafka does not answer")
        finally:
            await stopped(failing(error))

    with pytest.raises(OpsError, match="Kafka does not answer"):
        await cut_off()


async def test_who_is_cancelled_while_stopping_ends() -> None:
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stopped(forever()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
