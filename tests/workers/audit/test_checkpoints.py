"""When a checkpoint is signed and published, on a real database; Kafka keeps what it is given."""

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.topics import AUDIT_CHECKPOINTS
from infra.audit.checkpoints import Checkpoint, CheckpointChecker, CheckpointSigner
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError
from infra.postgres.pool import Pool
from tests.support.message_builders import MemoryProducer
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.workers.audit_slice import Audit, an_event_record
from workers.audit import checkpoints, store
from workers.audit.checkpoints import Checkpoints

KEY = Ed25519PrivateKey.generate()
CHECKER = CheckpointChecker([KEY.public_key().public_bytes_raw()])


def checkpoints_of(pool: Pool, topic: MemoryProducer) -> Checkpoints:
    return Checkpoints(pool, topic, CheckpointSigner(KEY.private_bytes_raw()), seconds=3_600)


def signed(topic: MemoryProducer) -> list[Checkpoint]:
    return [CHECKER.check(json.loads(each.value or b"")["signed"]) for each in topic.published]


@pytest.fixture
def topic() -> MemoryProducer:
    return MemoryProducer()


@pytest.fixture
async def made(database: Database, topic: MemoryProducer) -> Checkpoints:
    return checkpoints_of(await database.pool("qnt9_audit"), topic)


async def test_it_says_where_every_chain_ends(
    audit: Audit, database: Database, topic: MemoryProducer, made: Checkpoints
) -> None:
    await audit.take(an_event_record(), an_event_record())
    assert await made.make()
    [checkpoint] = signed(topic)
    async with (await database.pool()).acquire() as conn:
        assert checkpoint.heads == await store.heads(conn)
    assert checkpoint.entries == 2
    [record] = topic.published
    assert (record.topic, record.key) == (AUDIT_CHECKPOINTS.name, b"audit")
    assert record.headers["ce_type"] == b"qnt9.audit.checkpointed.v1"
    assert json.loads(record.value or b"")["root"] == checkpoint.root.hex()


async def test_there_is_none_of_an_empty_log_nor_one_more_of_the_same(
    audit: Audit, topic: MemoryProducer, made: Checkpoints
) -> None:
    assert await made.make()
    assert topic.published == []
    await audit.take(an_event_record())
    for _ in range(3):
        assert await made.make()
    assert len(topic.published) == 1
    await audit.take(an_event_record())
    assert await made.make()
    assert [checkpoint.entries for checkpoint in signed(topic)] == [1, 2]


@pytest.mark.parametrize("empty", [False, True], ids=["one that failed", "an empty log"])
async def test_the_first_is_made_soon_and_not_after_a_whole_period(
    audit: Audit, database: Database, monkeypatch: pytest.MonkeyPatch, *, empty: bool
) -> None:
    monkeypatch.setattr(checkpoints, "RETRY_SECONDS", 0.01)
    topic = MemoryProducer(BrokerUnavailableError(), IndeterminateError("no answer"))
    made = checkpoints_of(await database.pool("qnt9_audit"), topic)
    if not empty:
        await audit.take(an_event_record())
    running = asyncio.create_task(made.run())
    try:
        await asyncio.wait({running}, timeout=0.1)
        if empty:
            await audit.take(an_event_record())
        await until(lambda: bool(topic.published))
    finally:
        running.cancel()
    assert signed(topic)[0].entries == 1


async def test_a_database_that_is_away_fails_nothing_else(
    database: Database, audit: Audit, topic: MemoryProducer, made: Checkpoints
) -> None:
    await audit.take(an_event_record())
    await database.execute("REVOKE SELECT ON audit_heads FROM qnt9_audit")
    assert not await made.make()
    await database.execute("GRANT SELECT ON audit_heads TO qnt9_audit")
    assert await made.make()
    assert len(topic.published) == 1
