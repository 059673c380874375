"""When a checkpoint is signed and published, on a real database; Kafka keeps what it is given."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.envelope import Envelope
from contracts.topics import AUDIT_CHECKPOINTS
from infra.audit.checkpoints import Checkpoint, CheckpointChecker, CheckpointSigner
from infra.kafka.producer import BrokerUnavailableError, IndeterminateError, Producer
from tests.postgres import Database
from tests.waiting import until
from tests.workers.audit.conftest import Audit, an_event_record
from workers.audit import checkpoints, store
from workers.audit.checkpoints import Checkpoints

KEY = Ed25519PrivateKey.generate()
CHECKER = CheckpointChecker([KEY.public_key().public_bytes_raw()])


class MemoryTopic(Producer):
    """Acknowledges what it is given, after so many failures."""

    def __init__(self) -> None:
        self.given: list[tuple[str, bytes | None, bytes, Envelope]] = []
        self.failures: list[Exception] = []

    async def publish(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        seconds: float,  # noqa: ARG002
    ) -> None:
        if self.failures:
            raise self.failures.pop()
        assert value
        self.given.append((topic, key, value, Envelope.from_headers(headers)))

    @property
    def signed(self) -> list[Checkpoint]:
        return [CHECKER.check(json.loads(value)["signed"]) for _, _, value, _ in self.given]


@pytest.fixture
def topic() -> MemoryTopic:
    return MemoryTopic()


@pytest.fixture
async def made(database: Database, topic: MemoryTopic) -> Checkpoints:
    pool = await database.pool("qnt9_audit")
    signer = CheckpointSigner(KEY.private_bytes_raw())
    return Checkpoints(pool, topic, signer, seconds=3_600)


async def test_it_says_where_every_chain_ends(
    audit: Audit, database: Database, topic: MemoryTopic, made: Checkpoints
) -> None:
    await audit.take(an_event_record(), an_event_record())
    assert await made.make()
    [checkpoint] = topic.signed
    async with (await database.pool()).acquire() as conn:
        assert checkpoint.heads == await store.heads(conn)
    assert checkpoint.entries == 2
    [(name, key, value, envelope)] = topic.given
    assert (name, key) == (AUDIT_CHECKPOINTS.name, b"audit")
    assert envelope.type == "qnt9.audit.checkpointed.v1"
    assert json.loads(value)["root"] == checkpoint.root.hex()


async def test_there_is_none_of_an_empty_log_nor_one_more_of_the_same(
    audit: Audit, topic: MemoryTopic, made: Checkpoints
) -> None:
    assert await made.make()
    assert topic.given == []
    await audit.take(an_event_record())
    for _ in range(3):
        assert await made.make()
    assert len(topic.given) == 1
    await audit.take(an_event_record())
    assert await made.make()
    assert [checkpoint.entries for checkpoint in topic.signed] == [1, 2]


async def test_one_that_failed_is_made_soon_and_not_after_the_whole_period(
    audit: Audit, topic: MemoryTopic, made: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "RETRY_SECONDS", 0.01)
    await audit.take(an_event_record())
    topic.failures = [BrokerUnavailableError(), IndeterminateError("no answer")]
    running = asyncio.create_task(made.run())
    try:
        await until(lambda: bool(topic.given))
    finally:
        running.cancel()
    assert topic.signed[0].entries == 1


async def test_a_database_that_is_away_fails_nothing_else(
    database: Database, audit: Audit, topic: MemoryTopic, made: Checkpoints
) -> None:
    await audit.take(an_event_record())
    await database.execute("REVOKE SELECT ON audit_heads FROM qnt9_audit")
    assert not await made.make()
    await database.execute("GRANT SELECT ON audit_heads TO qnt9_audit")
    assert await made.make()
    assert len(topic.given) == 1
