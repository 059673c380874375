"""Random tamperings with the audit log: with Kafka at hand each is found; with a checkpoint that
was kept elsewhere alone, each is found that it covers, and the rest is named as unproven.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.audit.checkpoints import Checkpoint, Head
from operations.audit.records import compare, compare_payloads
from operations.audit.verification import Report, Verifier
from operations.broker import Broker
from tests.builders import NOW
from tests.e2e.operating import kafka_settings
from tests.e2e.outages import stopped
from tests.evidence import Evidence
from tests.sizes import FULL, size
from tests.stack import PORT_BASE, Stack, eventually, running_stack
from tests.tampering.hands import RULERS, WRITERS, Done, Link

TAMPERINGS = size(12, 200)
EVENTS = size(12, 60)
AS: dict[str, Any] = {
    "postgres": RULERS,
    "qnt9_owner": RULERS,
    "qnt9_audit": WRITERS,
}
Asked = asyncpg.Connection


@pytest.fixture
async def system(stack_of_its_own: Stack | None, request: pytest.FixtureRequest) -> Stack:
    """At full size a system of its own, at the small one everybody's."""
    found: Stack = stack_of_its_own or request.getfixturevalue("stack")
    return found


@pytest.fixture
def stack_of_its_own(tmp_path: Path) -> Any:
    if not FULL:
        yield None
        return
    with running_stack(tmp_path / "data", port_base=PORT_BASE + 500) as running:
        yield running


@asynccontextmanager
async def superuser(stack: Stack) -> AsyncIterator[Any]:
    password = load_or_create(Layout(stack.data)).postgres["postgres"]
    dsn = stack.urls["postgres"]["dsn"]
    host = dsn.rpartition("@")[2]
    conn = await asyncpg.connect(f"postgresql://postgres:{password}@{host}")
    try:
        yield conn
    finally:
        await conn.close()


async def some_events(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        for number in range(EVENTS):
            body = {"note": str(number)}
            symbol = ("AAPL", "MSFT", "SAP.DE")[number % 3]
            assert (await http.put(f"/api/v1/watchlist/{symbol}", json=body)).is_success

    async def recorded() -> bool:
        async with stack.postgres() as conn:
            query = (
                "SELECT count(*) FROM audit_log WHERE user_id::text = "
                "(SELECT id::text FROM users ORDER BY created_at DESC LIMIT 1)"
            )
            return bool(await conn.fetchval(query) >= EVENTS)

    await eventually(recorded, seconds=60, what="events in the log")


async def heads_of(conn: Any) -> tuple[Head, ...]:
    rows = await conn.fetch("SELECT topic, partition, length, hash FROM audit_heads")
    return tuple(sorted(Head(**row) for row in rows))


async def links_of(conn: Any, covered: tuple[Head, ...]) -> list[Link]:
    lengths = {(head.topic, head.partition): head.length for head in covered}
    rows = await conn.fetch(
        """
        SELECT chain, sequence, event_id, created_at, topic, partition
          FROM audit_chain JOIN audit_heads USING (chain)
         ORDER BY chain, sequence
        """
    )
    return [
        Link(
            row["chain"],
            row["sequence"],
            row["event_id"],
            row["created_at"],
            row["sequence"] <= lengths.get((row["topic"], row["partition"]), 0),
        )
        for row in rows
    ]


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
async def test_tamperings(system: Stack, evidence: Evidence) -> None:
    chance = random.Random(20_261_129)
    await some_events(system)
    async with system.postgres() as conn:
        signed = Checkpoint(NOW, await heads_of(conn))
    await some_events(system)
    found: Counter[str] = Counter()
    async with (
        stopped(system, "audit"),
        superuser(system) as conn,
        Broker(kafka_settings(system)) as broker,
    ):
        links = await links_of(conn, signed.heads)
        assert {each.covered for each in links} == {True, False}
        assert not (await both(conn, broker, signed))[0].faults
        for number in range(TAMPERINGS):
            role = sorted(AS)[number % len(AS)]
            covered = number // len(AS) % 2 == 0
            at = chance.choice([each for each in links if each.covered is covered])
            hand = chance.choice(AS[role])
            transaction = conn.transaction(isolation="repeatable_read")
            await transaction.start()
            try:
                await conn.execute(f"SET LOCAL ROLE {role}")
                what = await hand(conn, chance, at)
                await conn.execute("RESET ROLE")
                online, offline = await both(conn, broker, signed)
            finally:
                await transaction.rollback()
            done = Done(f"{role}: {what}", at.chain, at.sequence, covered)
            assert online.faults, f"not found with Kafka at hand: {done}"
            judge_offline(done, offline)
            found[f"{role}, {'covered' if covered else 'not covered'}"] += 1
            found["found with a kept checkpoint alone"] += bool(offline.faults)
    evidence.record(
        "Tamperings",
        "Random changes of the audit log; each is found with Kafka at hand, and those that a kept "
        "checkpoint covers also without.",
        {"tamperings": TAMPERINGS, **found},
    )


async def both(conn: Any, broker: Broker, signed: Checkpoint) -> tuple[Report, Report]:
    """What is found with Kafka at hand, and what without."""
    online = await Verifier().verify(conn, [signed])
    online.faults += (await compare(broker, conn)).faults
    offline = await Verifier().verify(conn, [signed])
    offline.faults += (await compare_payloads(conn)).faults
    return online, offline


def judge_offline(done: Done, report: Report) -> None:
    """Found, or in what the report names as unproven; never silence about what is covered."""
    if report.faults:
        return
    assert not done.covered or "slipped in" in done.what or "recorded_at" in done.what, done
