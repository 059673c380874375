"""Many streams over two gateways while things change, prices move and connections are cut."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import httpx
import pytest

from tests.support.e2e.broker_view import until_quiescent
from tests.support.e2e.second_gateway import second_gateway
from tests.support.e2e.stream_client import Client, ids_of, listening, publish_prices, published
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

USERS = size(10, 100)
STREAMS_OF_EACH = 2
SECONDS = size(8, 60)
CONNECTED_SECONDS = (1.0, size(4, 20))
SYMBOLS = ("SAP.DE", "AAPL", "X0001.DE")
WATCHLISTS = "watchlists.events"
AT_ONCE = 5


async def users(stack: Stack) -> list[User]:
    """A few at a time: two hashes of a password for everybody."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> User:
        async with room:
            return await stack.verified_user()

    return list(await asyncio.gather(*(one() for _ in range(USERS))))


async def follow(stack: Stack, members: Sequence[User]) -> None:
    """All of the symbols, everybody."""
    for user in members:
        async with stack.http(headers=user.headers) as http:
            for symbol in SYMBOLS:
                answer = await http.put(f"/api/v1/watchlist/{symbol}")
                assert answer.status_code in {201, 202}, answer.text


async def live(client: Client, gateways: Sequence[str], chance: random.Random, end: float) -> None:
    """Connected for a while, cut off, back at one of the gateways; the last time to the end."""
    while time.monotonic() < end:
        async with listening(client, chance.choice(gateways)):
            left = max(0.0, end - time.monotonic())
            await asyncio.sleep(min(left, chance.uniform(*CONNECTED_SECONDS)))


async def change(stack: Stack, user: User, chance: random.Random, end: float) -> int:
    """How many changes were accepted. Notes alone: the list of symbols stays."""
    number = 0
    async with stack.http(headers=user.headers) as http:
        while time.monotonic() < end:
            symbol, note = chance.choice(SYMBOLS), f"note {number}"
            try:
                answer = await http.put(f"/api/v1/watchlist/{symbol}", json={"note": note})
            except httpx.TransportError:
                continue  # an idle connection was closed as we wrote; the topic says what counts
            assert answer.status_code in {200, 201, 202}, answer.text
            number += 1
            await asyncio.sleep(chance.uniform(0.2, 1.5))  # the pace of a person; waits for nothing
    return number


async def move_prices(stack: Stack, end: float) -> int:
    """The last price, which is a number that counts up."""
    price = 1
    while time.monotonic() < end:
        for symbol in SYMBOLS:
            await publish_prices(stack, symbol, range(price, price + 2))
        price += 2
        await asyncio.sleep(0.5)  # the pace of a market; waits for nothing
    return price - 1


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_200))
async def test_many_streams(stack: Stack, evidence: Evidence) -> None:
    """Own events each once and in order; after each snapshot every price, none left out."""
    chance = random.Random(20_261_125)
    members = await users(stack)
    clients = [Client(user) for user in members for _ in range(STREAMS_OF_EACH)]
    async with second_gateway(stack) as (_, other):
        gateways = (str(stack.urls["gateway"]["url"]), other)
        # Every stream was open once before anything happens, so each must get all that comes.
        for client in clients:
            async with listening(client, gateways[0]):
                pass
        await follow(stack, members)
        gateway, end = stack.pid("gateway"), time.monotonic() + SECONDS
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(live(client, gateways, random.Random(chance.random()), end))
            writers = [
                tasks.create_task(change(stack, user, random.Random(chance.random()), end))
                for user in members
            ]
            prices = tasks.create_task(move_prices(stack, end))
        await until_quiescent(stack)
        expected = {user.email: await published(stack, user, WATCHLISTS) for user in members}
        assert all(len(ids) > len(SYMBOLS) for ids in expected.values())
        await finish(clients, gateways, expected)
        assert stack.pid("gateway") == gateway
    endings = Counter(e["reason"] for c in clients for k in c.connections for e in k.of("end"))
    runs = [r for client in clients for r in runs_of_prices(client)]
    assert runs
    assert all(run == list(range(run[0], run[0] + len(run))) for run in runs)
    evidence.record(
        "Streams",
        "Streams over two gateways, cut off and reconnected at either with `Last-Event-ID` while "
        "their users change watchlists and prices move: every own event once and in order at "
        "every client, every price after a snapshot, none left out.",
        {
            "clients": len(clients),
            "seconds": SECONDS,
            "connections": sum(len(client.connections) for client in clients),
            "changes": sum(writer.result() for writer in writers),
            "own events delivered": sum(len(client.own) for client in clients),
            "prices published of each symbol": prices.result(),
            "prices delivered": sum(map(len, runs)),
            "streams that the gateway ended": dict(endings) or "none",
            "missed, repeated or out of order": 0,
        },
    )


async def finish(
    clients: Sequence[Client], gateways: Sequence[str], expected: dict[str, list[UUID]]
) -> None:
    """Once more each, until all is there; then nothing is there twice or in another order."""

    async def whole(client: Client, n: int) -> None:
        wanted = expected[client.user.email]
        async with listening(client, gateways[n % 2]):

            async def reported() -> bool:
                return len(ids_of(client.own, "qnt9.watchlist.")) >= len(wanted)

            await eventually(reported, seconds=120, what="the last own event")
        assert ids_of(client.own, "qnt9.watchlist.") == wanted
        assert not any(connection.of("reset") for connection in client.connections)

    await asyncio.gather(*(whole(client, n) for n, client in enumerate(clients)))


def runs_of_prices(client: Client) -> list[list[int]]:
    """The prices of each symbol in each connection, but for those that the exchange gave."""
    return [
        run
        for connection in client.connections
        for symbol in SYMBOLS
        if (
            run := [
                int(q["price"])
                for q in connection.of("quote")
                if q["symbol"] == symbol and q["price"].isdigit()
            ]
        )
    ]
