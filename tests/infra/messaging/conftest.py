"""Fixtures of tests about consumers."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.support.infra.batch_trial import IN_BULK, ONE_BY_ONE, Trial, a_trial
from tests.support.postgres import Database


@pytest.fixture
def silent() -> Iterator[None]:
    """No log lines: a traceback with every local variable takes seconds to print."""
    with capture_logs():
        yield


@pytest.fixture
async def bulk(database: Database) -> Trial:
    """A batch processor whose handler gets a batch at once."""
    return await a_trial(database, IN_BULK)


@pytest.fixture
async def single(database: Database) -> Trial:
    """A batch processor whose handler gets one message at a time."""
    return await a_trial(database, ONE_BY_ONE)


@pytest.fixture(params=[IN_BULK, ONE_BY_ONE], ids=["in bulk", "one by one"])
async def trial(database: Database, request: pytest.FixtureRequest) -> Trial:
    """Both kinds of batch processor, one after the other."""
    return await a_trial(database, request.param)
