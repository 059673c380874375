"""A command between its publication and its result."""

import asyncio
from typing import Any

from gateway.commands.results import CommandResult
from infra.kafka.batching_publisher import Acknowledged
from infra.kafka.producer import IndeterminateError


class PendingCommand:
    """One published command: the broker's acknowledgement, and the result if it is waited for.

    The broker has `publish_seconds` to acknowledge it, from the moment this is made.
    """

    def __init__(
        self,
        acknowledged: Acknowledged,
        result: asyncio.Future[CommandResult],
        *,
        publish_seconds: float,
    ) -> None:
        self._acknowledged = acknowledged
        self._result = result
        self._loop = asyncio.get_running_loop()
        self._acknowledged_by = self._loop.time() + publish_seconds

    async def result(self, seconds: float) -> CommandResult | None:
        """Wait so long for the result; None if the command is acknowledged and takes longer.

        A result counts even before its acknowledgement. Raises what the broker refused the command
        with, or `IndeterminateError` as soon as it did not acknowledge in time.
        """
        until = self._loop.time() + seconds
        if seconds > 0:
            await self._first_of_both(until)
        if not self._result.done():
            await acknowledgement(self._acknowledged, self._acknowledged_by - self._loop.time())
            if seconds <= 0:  # whoever does not wait gets no result that came meanwhile
                return None
        try:
            async with asyncio.timeout_at(until):
                return await self._result
        except TimeoutError:
            return None

    async def _first_of_both(self, until: float) -> None:
        """Wait for the result or the acknowledgement, while there is time for both."""
        both: set[asyncio.Future[Any]] = {self._result, self._acknowledged}
        await asyncio.wait(
            both,
            timeout=min(until, self._acknowledged_by) - self._loop.time(),
            return_when=asyncio.FIRST_COMPLETED,
        )


async def acknowledgement(acknowledged: Acknowledged, seconds: float) -> None:
    """Wait so long for the broker. Raises `BrokerUnavailableError`, `IndeterminateError`.

    A command that is not acknowledged in time is taken back if it has not left yet.
    """
    if not acknowledged.done():
        await asyncio.wait({acknowledged}, timeout=max(seconds, 0.0))
    if not acknowledged.done():
        acknowledged.cancel()
    if acknowledged.cancelled():
        raise IndeterminateError("not acknowledged in time")
    acknowledged.result()
