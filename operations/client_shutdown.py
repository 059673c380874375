"""Ending a Kafka client that may hang or fail in the attempt."""

import asyncio
from collections.abc import Awaitable

from aiokafka.errors import KafkaError

STOP_SECONDS = 5.0


async def stopped(stop: Awaitable[None]) -> None:
    """Wait for it, for five seconds at most; what it raises is of no use to anybody.

    While its broker is away aiokafka's stop raises CancelledError although nobody has cancelled.
    Raises `CancelledError` when somebody has.
    """
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await stop
    except (KafkaError, OSError, TimeoutError):
        pass
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task and task.cancelling():
            raise
