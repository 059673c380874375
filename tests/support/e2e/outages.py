"""Outages on order: parts of the system stopped for a while, and what they leave behind."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from contracts.physical_topics import physical_topics
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

DEAD_LETTERS = tuple(t.name for t in physical_topics() if t.name.endswith(".dlq"))


@asynccontextmanager
async def stopped(stack: Stack, name: str) -> AsyncIterator[None]:
    """One part stopped; started again whatever happens, and waited for until all is well."""
    await stack.stop(name)
    try:
        yield
    finally:
        await stack.start(name)
        await until_well(stack)


async def until_well(stack: Stack, *, seconds: float = 60) -> None:
    """Every part is ready."""

    async def well() -> bool:
        return bool((await asyncio.to_thread(stack.status))["state"] == "ready")

    await eventually(well, seconds=seconds, what="every part ready", every=0.25)


async def dead_letters(stack: Stack) -> int:
    """How many there are, of all consumers."""
    return len(await stack.records(*DEAD_LETTERS))


async def counted(stack: Stack, name: str, metric: str, **labels: str) -> float:
    """The sum of a process' metric over the samples that carry these labels."""
    processes = (await asyncio.to_thread(stack.status))["processes"]
    url = httpx.URL(next(p["health_url"] for p in processes if p["name"] == name))
    async with httpx.AsyncClient(timeout=60) as client:
        text = (await client.get(url.copy_with(path="/metrics"))).text
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    samples = re.findall(rf"^{metric}{{(.*)}} (\S+)$", text, re.MULTILINE)
    return sum(float(value) for found, value in samples if wanted <= set(found.split(",")))


def is_problem(answer: httpx.Response, code: str, *, retry: bool = True) -> bool:
    """problem+json with this code, and when to try again."""
    return (
        answer.headers["content-type"] == "application/problem+json"
        and answer.json()["code"] == code
        and (not retry or int(answer.headers["retry-after"]) >= 1)
    )


async def until_settled(stack: Stack, user: User, accepted: httpx.Response) -> str:
    """The final status of a command that was answered with 202."""
    assert accepted.status_code == 202, accepted.text
    async with stack.http() as http:

        async def status() -> str | None:
            answer = await http.get(accepted.headers["location"], headers=user.headers)
            found = answer.json().get("status") if answer.status_code == 200 else None
            return None if found == "pending" else found

        return str(await eventually(status, seconds=60, what="the command's end"))


async def symbols(stack: Stack, user: User) -> set[str]:
    """What a user follows."""
    async with stack.http() as http:
        answer = await http.get("/api/v1/watchlist", headers=user.headers)
    assert answer.status_code == 200, answer.text
    return {item["symbol"] for item in answer.json()["items"]}
