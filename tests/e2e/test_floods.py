"""More hashes than cores: refreshes overtake them, and those that wait too long get a 503."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from uuid import uuid4

import httpx
import pytest

from tests.support.e2e.broker_view import until_quiescent
from tests.support.e2e.outages import is_problem, stopped
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import PASSWORD, Stack, User
from tests.support.waiting import eventually

SIGN_UPS = size(300, 3_000)
LEFT = SIGN_UPS // 3
SESSIONS = 4
REFRESHES = size(10, 50)
"""Of each session, one after the other."""


async def refreshes(http: httpx.AsyncClient, sessions: list[str]) -> list[float]:
    """How long each took. The sessions go on with their new tokens."""
    took: list[float] = []

    async def of_one(number: int) -> None:
        for _ in range(REFRESHES):
            began = time.monotonic()
            body = {"refresh_token": sessions[number]}
            answer = await http.post("/api/v1/auth/refresh", json=body)
            assert answer.status_code == 200, answer.text
            took.append(time.monotonic() - began)
            sessions[number] = answer.json()["refresh_token"]

    await asyncio.gather(*(of_one(number) for number in range(SESSIONS)))
    return took


async def sign_up(http: httpx.AsyncClient) -> None:
    body = {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD}
    assert (await http.post("/api/v1/auth/signup", json=body)).status_code == 202


async def handled(stack: Stack) -> int:
    """How many sign-ups there have been."""
    async with stack.postgres() as conn:
        count: int = await conn.fetchval("SELECT count(*) FROM inbox WHERE consumer = 'signup'")
    return count


def displayed(seconds: Sequence[float]) -> str:
    """For people."""
    return f"{statistics.median(seconds) * 1_000:.0f} / {max(seconds) * 1_000:.0f}"


@pytest.mark.prove
@pytest.mark.timeout(size(300, 900))
async def test_a_flood_of_sign_ups_delays_no_refresh(stack: Stack, evidence: Evidence) -> None:
    """By the queue's length and not by the clock: it is still there when all refreshes are done."""
    user: User = await stack.verified_user()
    sessions = [(await stack.sign_in(user.email)).refresh_token for _ in range(SESSIONS)]
    everybody = httpx.Limits(max_connections=SIGN_UPS)
    async with stack.http() as http, stack.http(limits=everybody, timeout=120) as flood:
        alone = await refreshes(http, sessions)
        await until_quiescent(stack)  # sign-ups of others are not of this flood
        expected = await handled(stack) + SIGN_UPS
        await asyncio.gather(*(sign_up(flood) for _ in range(SIGN_UPS)))
        at_first = expected - await handled(stack)
        beside = await refreshes(http, sessions)
        left = expected - await handled(stack)
        assert left >= LEFT, f"of {SIGN_UPS} sign-ups {at_first} waited at first, then {left}"

        async def over() -> bool:
            return await handled(stack) >= expected

        await eventually(over, seconds=size(120, 600), what="the end of the flood")
    ratio = statistics.median(beside) / statistics.median(alone)
    evidence.record(
        "Refreshes in a flood of sign-ups",
        "Sign-ups wait for their password hashes; sessions are refreshed meanwhile.",
        {
            "sign-ups": SIGN_UPS,
            "waiting when the refreshes began": at_first,
            "waiting when all were done": left,
            "refreshes": len(beside),
            "without the flood, median / slowest (ms)": displayed(alone),
            "in it, median / slowest (ms)": displayed(beside),
            "medians, in it to without": f"{ratio:.1f}",
        },
    )


async def test_anyone_who_waits_too_long_is_informed_when_to_try_again_and_nothing_was_begun(
    stack: Stack,
) -> None:
    user = await stack.verified_user()
    async with stack.http() as http:

        async def ask(path: str, **body: str) -> httpx.Response:
            return await http.post(f"/api/v1/auth/{path}", json=body)

        async with stopped(stack, "accounts"):
            answers = await asyncio.gather(
                ask("signin", email=user.email, password=PASSWORD),
                ask("refresh", refresh_token=user.refresh_token),
            )
            for answer in answers:
                assert answer.status_code == 503, answer.text
                assert is_problem(answer, "try-again")
        await until_quiescent(stack)
        sessions = await http.get("/api/v1/users/me/sessions", headers=user.headers)
        assert len(sessions.json()["sessions"]) == 1
        assert (await ask("refresh", refresh_token=user.refresh_token)).status_code == 200
