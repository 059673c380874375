"""A gateway on a host whose clock is wrong, beside the others on the running system."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.chaos.source_mutation import Cut, mutated
from tests.support.e2e.second_gateway import operations_url, second_gateway
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

OWN_TIME = "return datetime.now(UTC)"


def with_clock(folder: Path, seconds: int) -> Path:
    """The same source, on a host whose clock is so much ahead."""
    wrong = f"{OWN_TIME} + timedelta(seconds={seconds})"
    return mutated(folder, (Cut("infra/runtime/clock.py", OWN_TIME, wrong),))


async def measured(operations: httpx.URL) -> float | None:
    async with httpx.AsyncClient(base_url=operations, timeout=60) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    found = [line.split()[1] for line in lines if line.startswith("qnt9_clock_skew_seconds ")]
    return float(found[0]) if found else None


async def works(stack: Stack, url: str) -> None:
    """Everything that has a deadline, an expiry or an age."""
    user = await stack.verified_user()
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        answer = await http.post(
            "/api/v1/auth/signin", json={"email": user.email, "password": user.password}
        )
        assert answer.status_code == 200, answer.text
        here = User(user.email, user.password, **_tokens(answer.json()))
        for tokens in (user, here):
            me = await http.get("/api/v1/users/me", headers=tokens.headers)
            assert me.status_code == 200, me.text
        quote = await http.get("/api/v1/quotes/AAPL", headers=here.headers)
        assert quote.status_code == 200, quote.text
        age = abs(
            (datetime.now(UTC) - datetime.fromisoformat(quote.json()["fetched_at"])).total_seconds()
        )
        assert age < 3_600
        saved = await http.put("/api/v1/watchlist/AAPL", json={}, headers=here.headers)
        assert saved.status_code in {200, 201}, saved.text
        body = {"refresh_token": here.refresh_token}
        refreshed = await http.post("/api/v1/auth/refresh", json=body)
        assert refreshed.status_code == 200, refreshed.text
    async with stack.http(headers=here.headers) as http:
        assert (await http.get("/api/v1/watchlist")).status_code == 200


def _tokens(answer: dict[str, str]) -> dict[str, str]:
    return {name: answer[name] for name in ("access_token", "refresh_token")}


@pytest.mark.parametrize("seconds", [-20, 20])
async def test_gateway_whose_clock_is_off_answers_as_the_others_and_reports_how_far(
    stack: Stack, tmp_path: Path, seconds: int
) -> None:
    source = with_clock(tmp_path / "source", seconds)
    async with second_gateway(stack, source=source) as (_, url):

        async def is_measured() -> bool:
            skew = await measured(operations_url(url, 2))
            return skew is not None and abs(skew - seconds) < 2

        await eventually(is_measured, seconds=60, what="the skew in the metrics", every=0.5)
        await works(stack, url)


async def test_gateway_whose_clock_is_far_off_says_so_and_answers_even_so(
    stack: Stack, tmp_path: Path
) -> None:
    async with AsyncExitStack() as exits:
        source = await asyncio.to_thread(with_clock, tmp_path / "source", -90)
        entered = second_gateway(stack, source=source, health="/health/live")
        _, url = await exits.enter_async_context(entered)

        async def says_so() -> bool:
            async with httpx.AsyncClient(base_url=operations_url(url, 2), timeout=60) as http:
                answer = await http.get("/health/ready")
            return "this host's clock is 90 s behind the database's" in answer.text

        await eventually(says_so, seconds=60, what="a reason", every=0.5)
        await works(stack, url)
