"""How the gateway hears of outcomes on a real cache server, and what it makes of noise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from contracts.ids import uuid7
from contracts.outcomes import Succeeded
from gateway.commands.results import CommandResults
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier
from infra.postgres.pool import Pool
from tests.support.waiting import until

CHANNEL = "here"
NOBODY_READS_ROWS = cast("Pool", None)


@pytest.fixture
async def outcomes(redis: Redis) -> AsyncIterator[CommandResults]:
    """Listening; its rows are read by nobody."""
    made = CommandResults(redis, NOBODY_READS_ROWS, CHANNEL)
    listening = asyncio.create_task(made.listen())
    await until(lambda: made.listening or listening.done())
    yield made
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening


async def test_an_outcome_that_is_announced_is_reported(
    outcomes: CommandResults, redis: Redis
) -> None:
    command_id = uuid7()
    command_result = outcomes.expect(command_id)
    await OutcomeNotifier(redis).announce(
        [Announcement(CHANNEL, command_id, Succeeded({"n": 1}), "print")]
    )
    async with asyncio.timeout(5):
        assert (await command_result).outcome == Succeeded({"n": 1})


@pytest.mark.parametrize(
    "noise",
    [
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"outcomes": 5}',
        b'{"outcomes": [7]}',
        b'{"outcomes": [{"id": "a secret", "outcome": {}, "fingerprint": null}]}',
        b'{"outcomes": [{"id": 7, "outcome": {}, "fingerprint": null}]}',
        b'{"outcomes": [{"id": "018f2b6e-0000-7000-8000-000000000000", "outcome": []}]}',
    ],
)
async def test_a_wakeup_that_cannot_be_read_is_passed_over_and_the_next_is_heard(
    outcomes: CommandResults, redis: Redis, noise: bytes
) -> None:
    command_id = uuid7()
    command_result = outcomes.expect(command_id)
    with capture_logs() as logs:
        await redis.publish(CHANNEL, noise)
        await OutcomeNotifier(redis).announce([Announcement(CHANNEL, command_id, Succeeded())])
        async with asyncio.timeout(5):
            assert (await command_result).outcome == Succeeded()
    [said] = [entry for entry in logs if entry["event"] == "notification_unreadable"]
    assert "a secret" not in str(said)
    assert outcomes.listening
