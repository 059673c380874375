"""A rolling upgrade on a running system: one new event type, one new enumeration value.

The producer is `accounts`; `audit` and `verification` read what it emits, and the gateway shows it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from contracts.topics import AUDIT, USERS_EVENTS, VERIFICATION_MAILS
from tests.support.e2e.next_version import (
    NEW_REASON,
    NEW_TYPE,
    OLD_REASON,
    migrate,
    next_version,
    running,
)
from tests.support.stack import ROOT, Stack, User
from tests.support.waiting import eventually

PRODUCERS = ("accounts",)
CONSUMERS = ("audit", "verification")


@pytest.fixture
async def newer(stack: Stack, tmp_path: Path) -> AsyncIterator[Path]:
    """The source of the next version, whose rights are granted until the test ends."""
    source = next_version(tmp_path / "next")
    await migrate(stack, source)
    yield source
    await migrate(stack, ROOT)


async def fail_to_sign_in(stack: Stack, user: User) -> None:
    body = {"email": user.email, "password": "Another-harbour-62-lantern"}
    async with stack.http() as http:
        assert (await http.post("/api/v1/auth/signin", json=body)).status_code == 401


async def recorded(stack: Stack, user: User) -> set[str]:
    """Of the events about somebody: reasons of failed sign-ins, and types."""
    async with stack.postgres() as conn:
        rows = await conn.fetch(
            """
            SELECT type, details ->> 'reason' AS reason FROM audit_log
             WHERE user_id = (SELECT id FROM users WHERE email = $1)
            """,
            user.email,
        )
    return {row["reason"] or row["type"] for row in rows}


async def everybody_goes_on(stack: Stack, expected: set[str]) -> None:
    """Events of a failed sign-in are recorded, mails are sent, streams and rows are shown."""
    user = await stack.verified_user()
    await fail_to_sign_in(stack, user)

    async def are_recorded() -> bool:
        return await recorded(stack, user) >= expected

    await eventually(are_recorded, seconds=60, what=f"{expected} in the log")
    # The mail of a sign-up comes after them in the topic's time: the consumer is behind nothing.
    await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        assert (await http.get("/api/v1/users/me/activity")).status_code == 200


async def dead_letters(stack: Stack) -> int:
    topics = [USERS_EVENTS.dead_letters(consumer) for consumer in (AUDIT, VERIFICATION_MAILS)]
    return len(await stack.records(*topics))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "order", [(PRODUCERS, CONSUMERS), (CONSUMERS, PRODUCERS)], ids=["producer", "consumer"]
)
async def test_rollout_with_new_type_and_new_value_stops_no_one(
    stack: Stack, newer: Path, order: tuple[tuple[str, ...], ...]
) -> None:
    """Whichever side is first; each step is looked at with both versions at work."""
    before = await dead_letters(stack)
    async with AsyncExitStack() as rolled_out:
        done: set[str] = set()
        for roles in order:
            for role in roles:
                await rolled_out.enter_async_context(running(stack, role, newer))
                done.add(role)
            expected = {NEW_TYPE, NEW_REASON} if "accounts" in done else {OLD_REASON}
            await everybody_goes_on(stack, expected)
    # And back again: the version before meets what the next one has left.
    await everybody_goes_on(stack, {OLD_REASON})
    assert await dead_letters(stack) == before
    status = stack.status()
    assert all(each["state"] == "ready" for each in status["processes"]), status
