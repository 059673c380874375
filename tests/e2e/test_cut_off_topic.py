"""A topic whose end is lost, as after a power failure: its consumer had read more than there is."""

import asyncio

from contracts.topics import WATCHLIST, WATCHLIST_COMMANDS
from infra.kafka.consumer_groups import Committed
from operations.broker import Broker
from tests.support.e2e.broker_view import BrokerState, kafka_settings
from tests.support.e2e.outages import stopped
from tests.support.stack import Stack
from tests.support.waiting import eventually

LOST = 1_000


async def test_consumer_that_has_read_more_than_there_is_goes_on(stack: Stack) -> None:
    """It reads what there is once more, with no second effect, and what comes next."""
    user = await stack.verified_user()
    before = BrokerState(stack).ends(WATCHLIST_COMMANDS.name)
    async with stack.http(headers=user.headers) as http:
        assert (await http.put("/api/v1/watchlist/AAPL", json={})).status_code in {200, 201}
    async with stopped(stack, "watchlist"):
        ends = BrokerState(stack).ends(WATCHLIST_COMMANDS.name)
        # The partition that the last command goes to as well: its offset is right again then.
        [partition] = [number for number, end in ends.items() if end > before[number]]
        async with Broker(kafka_settings(stack)) as broker:
            place = (WATCHLIST_COMMANDS.name, partition)
            await broker.set_committed(WATCHLIST.group, {place: Committed(ends[partition] + LOST)})
        said = await asyncio.to_thread(stack.qnt9, "recover", "--dry-run")
        assert "the database knows everything" in said
    async with stack.http(headers=user.headers) as http:

        async def done() -> bool:
            answer = await http.put("/api/v1/watchlist/VOD.L", json={})
            return answer.status_code in {200, 201}

        await eventually(done, seconds=60, what="a command after the ones that were lost")
        items = (await http.get("/api/v1/watchlist")).json()["items"]
    assert [item["symbol"] for item in items].count("AAPL") == 1
