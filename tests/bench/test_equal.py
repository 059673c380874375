"""The service with the system's duties."""

import asyncio
from dataclasses import dataclass, field

import asyncpg
import pytest

from bench.plain.equal_relay import TOPIC, Relay
from tests.support.bench import Plain

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("plain", ["equal"], indirect=True)]

PUTS = 24


@dataclass
class Broker:
    """Acknowledges everything at once."""

    taken: list[tuple[str, bytes | None, bytes | None]] = field(default_factory=list)

    async def send(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
    ) -> asyncio.Future[object]:
        self.taken.append((topic, key, value))
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_result(headers)
        return sent


async def put_some(plain: Plain) -> None:
    answers = await asyncio.gather(
        *(
            plain.http.put(
                f"/watchlist/{plain.users.everybody[n % 3].symbols[n]}",
                json={"note": f"note {n}"},
                headers=plain.as_person(n % 3),
            )
            for n in range(PUTS)
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 201}


async def test_concurrent_puts_each_have_a_link_and_no_chain_forks(plain: Plain) -> None:
    await put_some(plain)
    links = await plain.database.fetch("SELECT * FROM audit_chain ORDER BY chain, sequence")
    heads = {
        row["chain"]: row
        for row in await plain.database.fetch("SELECT * FROM audit_heads WHERE length > 0")
    }
    assert len(links) == len(await plain.logged()) == PUTS
    for chain, head in heads.items():
        of_chain = [link for link in links if link["chain"] == chain]
        assert [link["sequence"] for link in of_chain] == list(range(1, head["length"] + 1))
        assert of_chain[-1]["hash"] == head["hash"]
        assert len({link["hash"] for link in of_chain}) == len(of_chain)


async def test_relay_publishes_each_event_once_in_the_order_of_the_outbox(plain: Plain) -> None:
    await put_some(plain)
    rows = await plain.database.fetch("SELECT key, payload FROM outbox ORDER BY seq")
    broker = Broker()
    async with asyncpg.create_pool(plain.dsn, min_size=1, max_size=1) as pool:
        relay = Relay(pool, broker)
        assert await relay.publish() == PUTS
        assert await relay.publish() == 0
    assert broker.taken == [(TOPIC, row["key"].encode(), row["payload"].encode()) for row in rows]
