"""A Kafka client for the length of one command."""

import asyncio
from types import TracebackType
from typing import Any, Self

from aiokafka.errors import KafkaError

from infra.runtime.settings import KafkaSettings
from infra.runtime.tls import distrust
from operations.client_shutdown import stopped
from operations.errors import OpsError

CONNECT_SECONDS = 15.0


class KafkaClient:
    """Starts and stops a client of aiokafka, which subclasses use.

    Entering it raises `OpsError` when the broker cannot be reached within `CONNECT_SECONDS`.
    """

    def __init__(self, settings: KafkaSettings, client: Any) -> None:
        self._settings = settings
        self._client = client

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await stopped(self._client.stop())
            raise OpsError(
                f"Kafka at {self._settings.kafka_bootstrap} cannot be reached "
                f"({_reason(error)}): "
                "is it up, and are user name, password and CA file right?"
            ) from error
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await stopped(self._client.stop())

    @property
    def settings(self) -> KafkaSettings:
        """How the broker is reached."""
        return self._settings


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not distrust(error):
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    return distrust(error) or type(error).__name__
