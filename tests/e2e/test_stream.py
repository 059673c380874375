"""The stream on the running system: own events once and in order, prices, and how it ends."""

import asyncio
import signal
from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID

import httpx
import pytest

from gateway.stream.catch_up import CatchUp, LostError, Missed
from gateway.stream.positions import places_of
from tests.support.e2e.broker_view import kafka_settings
from tests.support.e2e.outages import is_problem, stopped
from tests.support.e2e.second_gateway import second_gateway
from tests.support.e2e.stream_client import (
    STREAM,
    TICKET,
    Client,
    ids_of,
    listening,
    publish_prices,
    published,
    user_id,
)
from tests.support.stack import Stack, User
from tests.support.waiting import eventually

WATCHLISTS = "watchlists.events"
ADDED = "qnt9.watchlist."
FELT_SECONDS = 2.0
OUTAGE_SECONDS = 60.0
"""At most, until a gateway knows that it has heard nothing; 30 on an idle machine."""


@pytest.fixture(scope="module")
async def other_gateway(stack: Stack) -> AsyncIterator[str]:
    """Where a second gateway listens."""
    async with second_gateway(stack) as (_, url):
        yield url


def gateway(stack: Stack) -> str:
    return str(stack.urls["gateway"]["url"])


async def change(http: httpx.AsyncClient, user: User, number: int) -> None:
    """Something about the watchlist that is an event."""
    answer = await http.put(
        "/api/v1/watchlist/SAP.DE", json={"note": f"{number}"}, headers=user.headers
    )
    assert answer.status_code in {200, 201, 202}, answer.text


async def until_received(client: Client, number: int, *, seconds: float = 120) -> None:
    async def reported() -> bool:
        return len(ids_of(client.own, ADDED)) >= number

    await eventually(reported, seconds=seconds, what=f"{number} own events")


async def test_own_events_come_once_and_in_order_over_gateways_and_a_killed_relay(
    stack: Stack, other_gateway: str
) -> None:
    user = await stack.verified_user()
    client, numbers = Client(user), count(1)
    async with stack.http() as http:

        async def make(events: int) -> None:
            for _ in range(events):
                await change(http, user, next(numbers))

        async with listening(client, gateway(stack)):
            await make(5)
            await until_received(client, 5)
        await make(3)
        async with listening(client, other_gateway):
            await until_received(client, 8)
            writing = asyncio.create_task(make(10))
            await asyncio.to_thread(stack.kill, "relay")
            await writing
        await make(3)
        async with listening(client, gateway(stack)):
            await until_received(client, 21, seconds=60)
    assert ids_of(client.own, ADDED) == await published(stack, user, WATCHLISTS)
    assert all(each["data"].keys() == {"user_id", "symbol"} for each in client.own)
    assert not any(connection.of("reset") for connection in client.connections)


async def test_what_no_process_remembers_is_read_from_the_topic(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http() as http:
        for number in range(4):
            await change(http, user, number)
    place, key = places_of(UUID(user_id(user)))[1], user_id(user).encode()

    async def all_there() -> list[UUID]:
        ids = await published(stack, user, WATCHLISTS)
        return ids if len(ids) == 4 else []

    ids = await eventually(all_there, what="four events")
    records = [r for r in await stack.records(WATCHLISTS) if r.key == key]
    second, end = records[1].offset, records[-1].offset + 1
    catch_up = CatchUp(kafka_settings(stack), client_id="test")
    found = await catch_up.events(Missed(unread=[(place, second, end)]), key)
    assert [UUID(event.id) for event in found] == ids[1:]
    assert await catch_up.events(Missed(unread=[(place, end, second)]), key) == []
    for start, until in ((10**9, end), (0, 10**9)):
        with pytest.raises(LostError, match="position-unknown"):
            await catch_up.events(Missed(unread=[(place, start, until)]), key)


async def test_a_snapshot_of_the_quotes_then_each_new_price(stack: Stack) -> None:
    user = await stack.verified_user()
    client = Client(user)
    async with stack.http(headers=user.headers) as http:
        assert (await http.put("/api/v1/watchlist/MSFT")).status_code == 201
        assert (await http.get("/api/v1/quotes/MSFT")).status_code == 200
        async with listening(client, gateway(stack)):
            (connection,) = client.connections
            assert connection.headers["content-type"] == "text/event-stream"
            assert connection.headers["cache-control"] == "no-store"
            assert connection.headers["x-accel-buffering"] == "no"
            assert connection.of("snapshot")[0]["quotes"]["MSFT"]["price"]
            await publish_prices(stack, "MSFT", range(1, 21))
            await publish_prices(stack, "X0042.DE", range(1, 3))

            async def priced() -> bool:
                return [each["price"] for each in connection.of("quote")][-1:] == ["20"]

            await eventually(priced, what="the last price")
            # The price of when the symbol was added may be sent as well.
            prices = [
                (each["symbol"], each["price"])
                for each in connection.of("quote")
                if each["source"] == "test"
            ]
            assert prices == [("MSFT", str(number)) for number in range(1, 21)]
            assert (await http.put("/api/v1/watchlist/X0042.DE")).status_code in {200, 201}

            async def displayed() -> bool:
                return "X0042.DE" in connection.of("snapshot")[-1]["quotes"]

            await eventually(displayed, what="a quote of what was added")
            assert (await http.delete("/api/v1/watchlist/MSFT")).status_code == 204

            async def removed() -> bool:
                return "qnt9.watchlist.item_removed.v1" in {
                    each["type"] for each in client.own if each["data"].get("symbol") == "MSFT"
                }

            await eventually(removed, what="the event of the removal")
            await publish_prices(stack, "MSFT", range(21, 22))
            await publish_prices(stack, "X0042.DE", range(3, 4))

            async def followed() -> bool:
                reported = connection.of("quote")
                return ("X0042.DE", "3") in {(each["symbol"], each["price"]) for each in reported}

            await eventually(followed, what="a price of what was added")
            assert "21" not in {each["price"] for each in connection.of("quote")}


async def test_signing_out_at_one_gateway_ends_the_stream_at_the_other(
    stack: Stack, other_gateway: str
) -> None:
    user = await stack.verified_user()
    client = Client(user)
    async with listening(client, other_gateway) as stream:
        async with stack.http(headers=user.headers) as http:
            assert (await http.post("/api/v1/auth/signout")).status_code == 204
        async with asyncio.timeout(FELT_SECONDS):
            await stream
    assert client.connections[0].of("end") == [{"reason": "session-ended"}]
    await client.listen(other_gateway)
    assert client.connections[-1].status == 401


async def test_a_gateway_that_drains_sends_its_clients_elsewhere(stack: Stack) -> None:
    user = await stack.verified_user()
    client = Client(user)
    async with (
        second_gateway(stack, number=3) as (process, url),
        listening(client, url) as stream,
    ):
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(FELT_SECONDS):
            await stream
        connection = client.connections[0]
        assert connection.of("end") == [{"reason": "draining"}]
        assert connection.retry == 1_000
        await process.communicate()
    assert process.returncode == 0
    async with stack.http() as http:
        await change(http, user, 1)
    async with listening(client, gateway(stack)):
        await until_received(client, 1)


async def test_a_ticket_opens_the_stream_once(stack: Stack, other_gateway: str) -> None:
    user = await stack.verified_user()
    async with stack.http() as http, httpx.AsyncClient(base_url=other_gateway, timeout=60) as other:
        assert is_problem(await http.post(TICKET), "unauthenticated", retry=False)
        answer = await http.post(TICKET, headers=user.headers)
        assert answer.status_code == 200
        assert answer.json()["expires_in"] == 30
        ticket = answer.json()["ticket"]
        async with other.stream("GET", STREAM, params={"ticket": ticket}) as stream:
            assert stream.status_code == 200
            assert await anext(stream.aiter_bytes())
        for client in (http, other):
            refused = await client.get(STREAM, params={"ticket": ticket})
            assert is_problem(refused, "unauthenticated", retry=False)
        me = await http.get("/api/v1/users/me", params={"ticket": ticket})
        assert is_problem(me, "unauthenticated", retry=False)
    logs = [path.read_text("utf-8") for path in (stack.data / "logs").iterdir()]
    assert not any(ticket in text for text in logs)


async def test_a_position_that_was_never_reported_is_reset(stack: Stack) -> None:
    client = Client(await stack.verified_user(), position="nonsense")
    async with listening(client, gateway(stack)):

        async def reset() -> bool:
            return client.connections[0].of("reset") == [{"reason": "position-unknown"}]

        await eventually(reset, what="a reset")
    assert client.position != "nonsense"


async def test_so_many_streams_and_no_more(stack: Stack) -> None:
    user = await stack.verified_user()
    clients = [Client(user) for _ in range(5)]
    tasks = [asyncio.create_task(client.listen(gateway(stack))) for client in clients]
    try:

        async def all_connected() -> bool:
            return all(c.connections and c.connections[0].of("snapshot") for c in clients)

        await eventually(all_connected, what="five streams")
        async with stack.http(headers=user.headers) as http:
            assert is_problem(await http.get(STREAM), "too-many-streams")
            tasks.pop().cancel()

            async def there_is_room() -> bool:
                async with http.stream("GET", STREAM) as answer:
                    return answer.status_code == 200

            await eventually(there_is_room, what="room for another")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_outage_of_the_broker_ends_streams_and_they_go_on_after_it(stack: Stack) -> None:
    user = await stack.verified_user()
    client = Client(user)
    async with listening(client, gateway(stack)) as stream, stopped(stack, "kafka"):
        async with asyncio.timeout(OUTAGE_SECONDS):
            await stream
        assert client.connections[0].of("end") == [{"reason": "try-again"}]
    async with stack.http() as http:
        await change(http, user, 1)

    async def open_again() -> bool:
        async with stack.http(headers=user.headers) as http, http.stream("GET", STREAM) as answer:
            return answer.status_code == 200

    await eventually(open_again, seconds=60, what="a stream")
    async with listening(client, gateway(stack)):
        await until_received(client, 1)


async def test_without_the_cache_server_there_are_streams_but_no_tickets(stack: Stack) -> None:
    user = await stack.verified_user()
    client = Client(user)
    async with stopped(stack, "valkey"), stack.http(headers=user.headers) as http:
        assert is_problem(await http.post(TICKET), "try-again")
        async with listening(client, gateway(stack)):
            await change(http, user, 1)
            await until_received(client, 1)
