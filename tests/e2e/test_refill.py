"""A Kafka that is older than the database, or new: event topics come back from the audit log."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.topics import AUDIT, topics_of
from devstack.supervisor.layout import Layout
from tests.support.page_commands import shell, steps
from tests.support.stack import PORT_BASE, Stack, User, running_stack
from tests.support.waiting import eventually

BASE = PORT_BASE + 500
TOPICS = tuple(topic.name for topic in topics_of(AUDIT))
Published = dict[str, tuple[Any, ...]]
"""By event id: topic, partition, key, value, headers and timestamp."""


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of its own, whose Kafka these tests take away."""
    with running_stack(tmp_path_factory.mktemp("lossy"), port_base=BASE) as stack:
        yield stack


@asynccontextmanager
async def kafka_stopped(stack: Stack) -> AsyncIterator[Path]:
    """Its data folder, which may be changed meanwhile; then everything is up again."""
    await stack.stop("kafka")
    yield Layout(stack.data).kafka
    await stack.start("kafka")
    await until_it_works(stack)


async def new_kafka(stack: Stack) -> None:
    """An empty one with topics, users and rights: `qnt9 setup` makes them, here `qnt9 up`."""
    await asyncio.to_thread(stack.qnt9, "down")
    shutil.rmtree(Layout(stack.data).kafka)
    await asyncio.to_thread(stack.qnt9, "up", "--detach", "--port-base", str(BASE))
    await until_it_works(stack)


async def until_it_works(stack: Stack) -> None:
    for name in ("gateway", "relay", "audit", "verification", "watchlist"):
        await stack.until_ready(name, seconds=240)
    await eventually(lambda: accepts(stack), seconds=120, what="a command accepted", every=0.5)


async def accepts(stack: Stack) -> bool:
    """Whether the gateway can publish again: its connection to the broker of before is gone."""
    async with stack.http() as http:
        body = {"email": "nobody@example.com"}
        return (await http.post("/api/v1/auth/password/forgot", json=body)).status_code == 202


async def published(stack: Stack) -> Published:
    """The first appearance of each event."""
    found: Published = {}
    for record in await stack.records(*TOPICS):
        headers = dict(record.headers)
        id_ = headers["ce_id"].decode()
        content = (record.topic, record.partition, record.key, record.value)
        found.setdefault(id_, (*content, headers, record.timestamp))
    return found


async def recorded(stack: Stack) -> set[str]:
    async with stack.postgres() as conn:
        return {str(row[0]) for row in await conn.fetch("SELECT event_id FROM audit_log")}


async def everything_recorded(stack: Stack) -> None:
    """Every event that was made is published, and the log has it."""

    async def done() -> bool:
        async with stack.postgres() as conn:
            left = await conn.fetchval(
                """
                SELECT count(*) FROM outbox
                 WHERE published_at IS NULL
                    OR NOT EXISTS (SELECT FROM audit_log WHERE event_id = outbox.id)
                """
            )
        return left == 0 and set(await published(stack)) <= await recorded(stack)

    await eventually(done, seconds=120, what="every event in the log", every=0.5)


async def work(stack: Stack, user: User, *symbols: str) -> None:
    """Acknowledged changes, each with its event."""
    async with stack.http(headers=user.headers) as http:
        for symbol in symbols:
            key = {"Idempotency-Key": f"refill-{uuid4()}"}

            async def acknowledged(symbol: str = symbol, key: dict[str, str] = key) -> bool:
                answer = await http.put(f"/api/v1/watchlist/{symbol}", json={}, headers=key)
                assert answer.status_code in {200, 201, 202, 503}, answer.text
                return answer.status_code != 503

            await eventually(acknowledged, seconds=60, what=symbol, every=0.5)
    await everything_recorded(stack)


def order(events: Published) -> dict[tuple[str, bytes], list[str]]:
    """The events of each key of a topic, in the order in which they appear."""
    keys: dict[tuple[str, bytes], list[str]] = {}
    for id_, (topic, _, key, *_) in events.items():
        keys.setdefault((topic, key), []).append(id_)
    return keys


async def whole(stack: Stack) -> bool:
    said = await asyncio.to_thread(stack.run, "audit", "verify")
    return said.returncode == 0


async def refilled_as_before(stack: Stack, before: Published) -> None:
    """Every event of before is there as it was, each key's in order, and the log is proven."""
    after = await published(stack)
    assert {id_: after.get(id_) for id_ in before} == before
    again = order(after)
    for key, ids in order(before).items():
        assert [id_ for id_ in again[key] if id_ in before] == ids
    await eventually(lambda: whole(stack), seconds=60, what="a whole log", every=1.0)


async def begun(stack: Stack) -> bool:
    async with stack.postgres() as conn:
        return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM recoveries)"))


@pytest.mark.timeout(900)
async def test_older_kafka_gets_from_the_log_what_it_has_lost(lossy: Stack, tmp_path: Path) -> None:
    """The command is killed once in the middle, and goes on when it is run again."""
    user = await lossy.verified_user()
    await work(lossy, user, "AAPL", "SAP.DE")
    async with kafka_stopped(lossy) as folder:
        shutil.copytree(folder, tmp_path / "kafka")
    await work(lossy, user, "VOD.L", "MSFT", "NVDA", "TSLA", "SHEL.L")
    before = await published(lossy)
    mails = len(await lossy.mails(user.email))
    async with kafka_stopped(lossy) as folder:
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kafka", folder)
    lost = set(before) - set(await published(lossy))
    assert lost

    said = await asyncio.to_thread(lossy.qnt9, "recover", "--dry-run")
    assert "LOST BY KAFKA" in said
    assert "cannot be had again" in said
    assert not lost & set(await published(lossy))

    running = lossy.begin("recover", "--reason", "killed")
    await eventually(lambda: begun(lossy), seconds=60, what="a recovery that has begun", every=0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()

    await asyncio.to_thread(lossy.qnt9, "recover", "--reason", "Kafka's disk was restored")
    await refilled_as_before(lossy, before)
    said = await asyncio.to_thread(lossy.qnt9, "recover", "--dry-run")
    assert "Kafka has every event that the audit log has" in said
    assert len(await lossy.mails(user.email)) == mails
    await work(lossy, user, "AMZN")
    assert not (await lossy.records("users.events.verification-mails.dlq"))


@pytest.mark.timeout(900)
async def test_new_kafka_gets_everything_from_the_log(lossy: Stack) -> None:
    """It went on by itself before anybody noticed: what it has by then stays in front."""
    user = await lossy.verified_user()
    await work(lossy, user, "AAPL", "SAP.DE", "VOD.L")
    before = await published(lossy)
    await new_kafka(lossy)
    await work(lossy, user, "MSFT")
    assert not set(before) & set(await published(lossy))
    await asyncio.to_thread(lossy.qnt9, "recover", "--reason", "Kafka is new")
    await refilled_as_before(lossy, before)
    audit = await asyncio.to_thread(lossy.qnt9, "audit", "list", "--limit", "1000")
    assert "ops.recovered" in audit


@pytest.mark.timeout(900)
async def test_database_restored_from_a_dump_is_recovered_as_documented(
    lossy: Stack, tmp_path: Path
) -> None:
    """Every command of the page, as it is written there."""
    page = "recovery.md"
    variables = {"QNT9_DATA": str(lossy.data), "OWNER_DSN": lossy.urls["postgres"]["dsn"]}
    user = await lossy.verified_user()
    await work(lossy, user, "AAPL")
    for step in steps(page, of="Prerequisites"):
        await asyncio.to_thread(shell, step, tmp_path, variables)
    await work(lossy, user, "VOD.L", "MSFT", "NVDA")
    before = await published(lossy)
    for step in steps(page, of="Procedure"):
        await asyncio.to_thread(shell, step, tmp_path, variables)
    await eventually(lambda: whole(lossy), seconds=60, what="a whole log", every=1.0)
    for step in steps(page, of="Verification"):
        await asyncio.to_thread(shell, step, tmp_path, variables)
    after = await published(lossy)
    assert {id_: after.get(id_) for id_ in before} == before
    assert set(before) <= await recorded(lossy)
    async with lossy.http(headers=user.headers) as http:
        items = (await http.get("/api/v1/watchlist")).json()["items"]
    assert {item["symbol"] for item in items} >= {"AAPL", "VOD.L", "MSFT", "NVDA"}


async def test_row_that_was_changed_is_not_filled_in(lossy: Stack) -> None:
    """What its chain does not prove is reported, and not published as if it had happened."""
    user = await lossy.verified_user()
    await work(lossy, user, "AAPL", "SAP.DE")
    before = await published(lossy)
    async with lossy.postgres() as conn:
        changed = await conn.fetchval(
            """
            UPDATE audit_log SET payload = payload || ' '::bytea
             WHERE event_id = (SELECT event_id FROM audit_log
                                WHERE topic = 'watchlists.events' ORDER BY created_at DESC LIMIT 1)
            RETURNING event_id::text
            """
        )
    await new_kafka(lossy)
    said = await asyncio.to_thread(lossy.qnt9, "recover", "--reason", "Kafka is new")
    assert "1 events whose rows are not as they were recorded" in " ".join(said.split())
    after = await published(lossy)
    assert set(before) - set(after) == {changed}
