from collections.abc import AsyncIterator

import pytest

from tests.support.devstack.exchange_client import Client, running_exchange


@pytest.fixture
async def exchange() -> AsyncIterator[Client]:
    async with running_exchange() as client:
        yield client
