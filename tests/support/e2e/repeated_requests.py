"""The same request many times, and what became of it."""

from typing import Any

import httpx

from tests.support.stack import Stack, User

PATIENTLY = {"Prefer": "wait=20"}


ME = "/api/v1/users/me"


ITEM = "/api/v1/watchlist/AAPL"


def answers_of(answers: list[httpx.Response]) -> set[tuple[int, bytes]]:
    return {(answer.status_code, answer.content) for answer in answers}


async def emitted(stack: Stack, user_id: str) -> list[str]:
    """The events about a user, in their order."""
    async with stack.postgres() as conn:
        rows = await conn.fetch(
            "SELECT type FROM outbox WHERE aggregateid = $1 ORDER BY seq", user_id
        )
    return [row["type"] for row in rows]


async def added(stack: Stack, user: User) -> int:
    """How often something was added, as the events have it."""
    async with stack.http() as http:
        profile: dict[str, Any] = (await http.get(ME, headers=user.headers)).json()
    return (await emitted(stack, profile["id"])).count("qnt9.watchlist.item_added.v1")
