"""One user's worst texts and numbers: refused or done, never set aside, and felt by nobody else."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest

from tests.sizes import size
from tests.stack import Stack
from tests.unicode import CHARACTERS, texts_with

REQUESTS = size(120, 500)
SEED = 7
ODD = [
    "\u09df",
    "\ufb2c",
    "\u00df",
    "\u0390",
    "\ufb03",
    "\u0130",
    "\u200d",
    "\u202e",
    "\0",
    "\ud800",
]
NUMBERS = ["0", "-1", "1e400", "9" * 5_000, "NaN", "\u0662", "0x10", "1.5", " 7 ", ""]
READS = (
    ("/api/v1/search", "q"),
    ("/api/v1/quotes", "symbols"),
    ("/api/v1/users/me/activity", "cursor"),
    ("/api/v1/users/me/activity", "limit"),
    ("/api/v1/commands/none", "x"),
)


def worst(chance: random.Random, most: int) -> str:
    character = chance.choice([chance.choice(CHARACTERS), chance.choice(ODD)])
    return chance.choice([*texts_with(character, most=most), chance.choice(NUMBERS)])


def request(chance: random.Random) -> dict[str, Any]:
    """One request, as httpx takes it."""
    match chance.randrange(5):
        case 0 | 1:
            body = {"note": worst(chance, 280)}
            return {"method": "PUT", "url": "/api/v1/watchlist/AAPL", "json": body}
        case 2:
            body = {"display_name": worst(chance, 80)}
            return {"method": "PATCH", "url": "/api/v1/users/me", "json": body}
        case 3:
            path, name = chance.choice(READS)
            text = worst(chance, 64).encode(errors="surrogatepass").decode("latin-1")
            return {"method": "GET", "url": path, "params": {name: text}}
    local, name = worst(chance, 64), worst(chance, 80)
    body = {"email": f"{local}@example.com", "password": "Qx7!correct", "display_name": name}
    route = chance.choice(["signup", "signin", "password/forgot", "verify/resend"])
    if route != "signup":
        body.pop("display_name")
    if route not in {"signup", "signin"}:
        body.pop("password")
    return {"method": "POST", "url": f"/api/v1/auth/{route}", "json": body}


def encoded(one: dict[str, Any]) -> dict[str, Any]:
    """JSON in ASCII, so that a lone surrogate gets to the gateway, too."""
    if "json" not in one:
        return one
    content = json.dumps(one.pop("json")).encode()
    return one | {"content": content, "headers": {"Content-Type": "application/json"}}


@pytest.mark.prove
async def test_worst_texts_of_one_user_harm_nobody(stack: Stack) -> None:
    chance = random.Random(SEED)  # the same texts each time
    user, other = await stack.verified_user(), await stack.verified_user()
    before = await parked(stack)
    requests = [encoded(request(chance)) for _ in range(REQUESTS)]
    statuses: Counter[int] = Counter()
    async with stack.http(headers=user.headers) as http, stack.http(headers=other.headers) as calm:
        turns = asyncio.Semaphore(8)

        async def send(one: dict[str, Any]) -> None:
            async with turns:
                answer = await http.request(**one)
                statuses[answer.status_code] += 1
                assert answer.status_code < 500, (ascii(one), answer.text)

        async with asyncio.TaskGroup() as tasks:
            for one in requests:
                tasks.create_task(send(one))
            for _ in range(REQUESTS // 20):
                answer = await calm.put("/api/v1/watchlist/MSFT", json={"note": "calm"})
                assert answer.status_code in {200, 201}, answer.text
    assert statuses.total() == REQUESTS
    assert await parked(stack) == before
    assert {each["state"] for each in stack.status()["processes"]} == {"ready"}


async def parked(stack: Stack) -> int:
    """How many commands were set aside."""
    async with stack.postgres() as database:
        return int(await database.fetchval("SELECT count(*) FROM parked_commands"))
