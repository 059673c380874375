"""Random tamperings with the audit log, committed and found by `qnt9 audit verify`.

With Kafka at hand each is found. With a checkpoint that was kept elsewhere alone, each is found
that it covers, and the rest is named as unproven.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from infra.audit.checkpoints import Checkpoint, Head
from operations.audit.records import compare
from operations.audit.verification import Report, Verifier
from operations.broker import Broker
from tests.support.audit_tampering.random_changes import RULERS, WRITERS, Done, Link
from tests.support.audit_tampering.table_copies import restored, save
from tests.support.e2e.broker_view import kafka_settings
from tests.support.e2e.outages import stopped
from tests.support.e2e.role_clients import connection_of
from tests.support.evidence import Evidence
from tests.support.message_builders import NOW
from tests.support.sizes import size
from tests.support.stack import PORT_BASE, Stack, running_stack
from tests.support.waiting import eventually

BY_SQL = size(9, 150)
BY_RELAY = size(3, 50)
EVENTS = size(12, 60)
AS: dict[str, Any] = {
    "postgres": RULERS,
    "qnt9_owner": RULERS,
    "qnt9_audit": WRITERS,
}

pytestmark = [pytest.mark.prove, pytest.mark.timeout(size(600, 2_400))]


@dataclass
class Tampered:
    """A system with a log that a kept checkpoint covers in part, and what is done to it."""

    stack: Stack
    kept: Path
    """The checkpoint that was kept elsewhere, as `qnt9 audit checkpoint` printed it."""
    signed: Checkpoint
    """The heads that it has signed."""
    found: Counter[str]
    chance: random.Random

    async def offline(self) -> tuple[int, dict[str, Any]]:
        """What the command line says without Kafka: exit code and report."""
        return await self.verified("--offline", "--checkpoints", str(self.kept))

    async def verified(self, *options: str) -> tuple[int, dict[str, Any]]:
        done = await asyncio.to_thread(self.stack.run, "audit", "verify", "--json", *options)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    async def online(self, conn: Any, broker: Broker) -> Report:
        """What is found with Kafka, and with the kept checkpoint as the only one."""
        report = await Verifier().verify(conn, [self.signed])
        report.faults += (await compare(broker, conn)).faults
        return report


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of its own: what the relay's credential publishes stays in its topics."""
    data = tmp_path_factory.mktemp("tampering") / "data"
    with running_stack(data, port_base=PORT_BASE + 500) as running:
        yield running


@pytest.fixture(scope="module")
async def tampered(system: Stack, tmp_path_factory: pytest.TempPathFactory) -> Tampered:
    await some_events(system)
    kept = tmp_path_factory.mktemp("kept") / "kept.jws"
    async with stopped(system, "audit"):  # which signs a checkpoint as it stops
        kept.write_text(await asyncio.to_thread(system.qnt9, "audit", "checkpoint"), "utf-8")
        async with system.postgres() as conn:
            signed = Checkpoint(NOW, await heads_of(conn))
    await some_events(system)
    return Tampered(system, kept, signed, Counter(), random.Random(20_261_129))


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
            f"{row['topic']}/{row['partition']}",
        )
        for row in rows
    ]


async def test_tampering_by_sql_is_found(tampered: Tampered) -> None:
    stack, chance = tampered.stack, tampered.chance
    async with (
        stopped(stack, "audit"),
        superuser(stack) as conn,
        Broker(kafka_settings(stack)) as broker,
    ):
        links = await links_of(conn, tampered.signed.heads)
        assert {each.covered for each in links} == {True, False}
        assert not (await tampered.online(conn, broker)).faults
        await nothing_is_unproven_but_what_is_not_covered(tampered, conn)
        await save(conn)
        for number in range(BY_SQL):
            role = sorted(AS)[number % len(AS)]
            covered = number // len(AS) % 2 == 0
            at = chance.choice([each for each in links if each.covered is covered])
            async with restored(conn):
                async with conn.transaction():
                    await conn.execute(f"SET LOCAL ROLE {role}")
                    what = await chance.choice(AS[role])(conn, chance, at)
                    await conn.execute("RESET ROLE")
                done = Done(f"{role}: {what}", at.chain, at.sequence, covered)
                assert (await tampered.online(conn, broker)).faults, f"not found: {done}"
                found = evaluate_offline(done, at, *await tampered.offline())
            tampered.found[f"{role}, {'covered' if covered else 'not covered'}"] += 1
            tampered.found["found without Kafka"] += found
            tampered.found["covered"] += covered
        assert not (await tampered.online(conn, broker)).faults
        await relay_is_refused(conn, chance, links)


async def nothing_is_unproven_but_what_is_not_covered(tampered: Tampered, conn: Any) -> None:
    """Of a log that nobody has changed, to the entry."""
    lengths = {f"{h.topic}/{h.partition}": h.length for h in tampered.signed.heads}
    heads = {f"{h.topic}/{h.partition}": h.length for h in await heads_of(conn)}
    code, report = await tampered.offline()
    assert (code, report["whole"], report["faults"]) == (0, True, [])
    assert report["unproven"] == {
        name: [lengths.get(name, 0) + 1, length]
        for name, length in heads.items()
        if length > lengths.get(name, 0)
    }
    assert report["entries_after_checkpoints"] == sum(heads.values()) - sum(lengths.values())
    assert report["unproven_columns"] == ["recorded_at"]
    assert report["unproven_removals"] is True


def evaluate_offline(done: Done, at: Link, code: int, report: dict[str, Any]) -> bool:
    """Whether it was found; otherwise the report has to name it as unproven."""
    assert code == (1 if report["faults"] else 0)
    if report["faults"]:
        return True
    first, last = report["unproven"].get(at.place, (0, 0))
    if "recorded_at" in done.what:
        assert report["unproven_columns"] == ["recorded_at"], done
    elif "slipped in" in done.what:
        assert first <= last, done  # at the end, which no checkpoint covers
    else:
        assert not done.covered, f"not found without Kafka: {done}"
        removed = "removed" in done.what or "cut off" in done.what
        assert first <= done.sequence <= last or (removed and report["unproven_removals"]), done
    return False


async def relay_is_refused(conn: Any, chance: random.Random, links: list[Link]) -> None:
    """In the database the relay's role can do nothing of what the others did."""
    for hand in RULERS:
        transaction = conn.transaction()
        await transaction.start()
        try:
            await conn.execute("SET LOCAL ROLE qnt9_relay")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await hand(conn, chance, chance.choice(links))
        finally:
            await transaction.rollback()


async def test_tampering_by_the_relays_credential_is_found(
    tampered: Tampered, evidence: Evidence
) -> None:
    """What it publishes under ids that the log has. The worker of the log runs meanwhile."""
    stack, chance = tampered.stack, tampered.chance
    async with superuser(stack) as conn:
        links = await links_of(conn, tampered.signed.heads)
        chosen = [
            chance.choice([each for each in links if each.covered is (number % 2 == 0)])
            for number in range(BY_RELAY)
        ]
        credentials = load_or_create(Layout(stack.data))
        async with AIOKafkaProducer(**connection_of("relay", credentials, stack)) as producer:
            for number, link in enumerate(chosen):
                await contradict(conn, producer, link, number)
        code, report = await tampered.verified("--checkpoints", str(tampered.kept))
        assert code == 1
        for link in chosen:
            name = f"event {link.event_id}: contradicts what the log has under this id"
            assert [fault for fault in report["faults"] if name in fault], link
        rows = await conn.fetch("SELECT event_id FROM audit_log")
        assert len({row["event_id"] for row in rows}) == len(rows), "a second row"
        code, report = await tampered.offline()
        assert (code, report["faults"]) == (0, []), "the log itself is as it was"
    tampered.found["relay, published"] += len(chosen)
    evidence.record(
        "Tamperings",
        "Random changes of the audit log, committed. Each is found with Kafka; without Kafka and "
        "with one kept checkpoint (`qnt9 audit verify --offline`) each is found that it covers, "
        "but for rows added at the end and `recorded_at`, and the rest is named as unproven.",
        {"tamperings": BY_SQL + BY_RELAY, **tampered.found},
    )


async def contradict(conn: Any, producer: Any, link: Link, number: int) -> None:
    """The event again, under its id, with another time or another content."""
    row = await conn.fetchrow(
        """
        SELECT topic, partition, key, payload, headers::text
          FROM audit_log WHERE event_id = $1
        """,
        link.event_id,
    )
    headers, payload = json.loads(row["headers"]), row["payload"]
    if number % 2:
        time = datetime.fromisoformat(headers["ce_time"]) + timedelta(seconds=1)
        headers["ce_time"] = time.isoformat()
    else:
        payload += b" "
    await producer.send_and_wait(
        row["topic"],
        payload,
        key=row["key"],
        partition=row["partition"],
        headers=[(name, str(value).encode()) for name, value in headers.items()],
    )
