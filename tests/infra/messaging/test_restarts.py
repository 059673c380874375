"""Whatever a consumer has read, one that starts anew takes none of it for a restored database."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import time
from typing import Any
from uuid import UUID

import pytest

from contracts.events import UserSigninFailed
from contracts.topics import AUDIT, MAX_DATA_BYTES, VERIFICATION_MAILS, WATCHLIST, Consumer
from infra.messaging.batch_processor import BatchProcessor
from infra.messaging.batch_progress import Batch
from infra.messaging.database_age import messages_of
from infra.messaging.inbound import PoisonError, RetryableError
from infra.messaging.record_reader import RecordReader
from infra.messaging.restored_database import Memory, RestoredDatabaseError, unknown_messages
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from tests.support.infra.batch_trial import (
    ONE_BY_ONE,
    Slice,
    Trial,
    a_trial,
    again,
    instruction,
    order,
)
from tests.support.infra.restart_command import COMMAND
from tests.support.message_builders import ARecord, MemoryDeadLetters, a_record, no_sleep, received
from tests.support.postgres import Database
from tests.support.workers.audit_slice import an_audit, an_event_record

Spoil = Callable[[ARecord], ARecord]


def _typed(type_: bytes, record: ARecord) -> ARecord:
    headers = [(n, type_ if n == "ce_type" else v) for n, v in record.headers]
    return replace(record, headers=headers)


CORRUPTED: dict[str, Spoil] = {
    "good": lambda record: record,
    "broken": lambda record: replace(record, value=b"{"),
    "tombstone": lambda record: replace(record, value=None),
    "too big": lambda record: replace(record, value=b"{}" + b" " * MAX_DATA_BYTES),
    "of no data": lambda record: replace(record, value=b"{}"),
    "of unknown type": partial(_typed, b"qnt9.unheard.of.v1"),
    "without envelope": lambda record: replace(record, headers=[]),
    "with a null header": lambda record: replace(record, headers=[*record.headers, ("x", None)]),
    "junk": lambda record: replace(record, value=b"\xff\0", headers=[("ce_id", b"\xff")]),
}


FAULTS: dict[str, Exception] = {"refused": PoisonError("no"), "that fails": LookupError("CANARY")}


def now(record: ARecord) -> ARecord:
    """One that is new enough to tell something."""
    return replace(record, timestamp=int(time() * 1_000))


def messages(consumer: Consumer, *records: ARecord) -> list[UUID]:
    return [envelope.id for _, envelope in messages_of(consumer, records)]


async def nothing_is_unknown(database: Database, consumer: Consumer, *records: ARecord) -> None:
    """Neither as the consumer joins its group, nor with the first batch after that."""
    pool = await database.pool(f"qnt9_{consumer.principal}")
    ids = messages(consumer, *records)
    async with pool.acquire() as conn:
        assert await unknown_messages(conn, consumer.name, ids) == set()
    for each in ids:
        await goes_on(pool, consumer, each)


async def goes_on(pool: Pool, consumer: Consumer, last: UUID) -> None:
    """Raises `RestoredDatabaseError` when a consumer would not go on that has seen this last."""
    memory = Memory()
    memory.remember(last)
    async with pool.acquire() as conn:
        await memory.confirm(conn, consumer.name)
    if consumer.inbox:
        restarted = Transactions(pool, consumer.name)
        restarted.memory = memory
        assert await restarted.handled([received(COMMAND)]) == {}
    assert not memory.contradicted.is_set()


@pytest.fixture
async def trial(database: Database) -> Trial:
    return await a_trial(database, ONE_BY_ONE)


@pytest.mark.parametrize("spoil", CORRUPTED.values(), ids=list(CORRUPTED))
async def test_command_that_was_read_is_known(trial: Trial, spoil: Spoil) -> None:
    record = spoil(now(order("A")))
    await trial.take(record)
    await nothing_is_unknown(trial.database, WATCHLIST, record)


async def test_event_of_the_next_version_that_was_passed_over_is_known_to_the_next_version(
    database: Database,
) -> None:
    """The version before has settled it unread: it is no sign of a restored database."""
    transactions = Transactions(await database.pool("qnt9_verification"), VERIFICATION_MAILS.name)
    work = BatchProcessor(
        VERIFICATION_MAILS.name,
        Slice(transactions).handle,
        reader=RecordReader({}, None),
        dead_letters=MemoryDeadLetters(),
        transactions=transactions,
        policy=ONE_BY_ONE,
        sleep=no_sleep,
        touch=lambda: None,
    )
    record = now(a_record(UserSigninFailed(reason="wrong_password")))
    [event_id] = messages(VERIFICATION_MAILS, record)
    await database.execute(
        "INSERT INTO mail_requests (event_id, type, payload) VALUES ($1, 'new', '{}')", event_id
    )
    batch = Batch([record, again(record)])
    await work.process(batch)
    await work.process(Batch([record]))
    assert set(batch.reached().values()) == {batch.records[-1].offset + 1}
    async with (await database.pool("qnt9_verification")).acquire() as conn:
        assert await unknown_messages(conn, VERIFICATION_MAILS.name, [event_id]) == set()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
async def test_command_that_a_handler_gave_up_is_known(trial: Trial, fault: Exception) -> None:
    trial.deps.fails_for("X", error=fault)
    record = now(order("X"))
    await trial.take(record)
    assert trial.set_aside == [record]
    assert messages(WATCHLIST, record)
    await nothing_is_unknown(trial.database, WATCHLIST, record)


@pytest.mark.parametrize("action", ["skip", "set-aside"])
async def test_command_that_an_operator_decided_on_is_known(trial: Trial, action: Any) -> None:
    record = now(order("A"))
    trial.work.controls.instructions = [instruction(action, record)]
    await trial.take(record)
    assert messages(WATCHLIST, record)
    await nothing_is_unknown(trial.database, WATCHLIST, record)


async def test_command_that_nobody_has_read_tells_of_a_restored_database(trial: Trial) -> None:
    [lost] = messages(WATCHLIST, now(order("A")))
    pool = await trial.database.pool("qnt9_watchlist")
    with pytest.raises(RestoredDatabaseError):
        await goes_on(pool, WATCHLIST, lost)
    restarted = Transactions(pool, WATCHLIST.name)
    restarted.memory.remember(lost)
    with pytest.raises(RetryableError):
        await restarted.handled([received(COMMAND)])
    assert restarted.memory.contradicted.is_set()


@pytest.mark.parametrize("spoil", CORRUPTED.values(), ids=list(CORRUPTED))
async def test_event_that_audit_has_read_is_known(database: Database, spoil: Spoil) -> None:
    audit = an_audit(database, await database.pool("qnt9_audit"))
    record = spoil(now(an_event_record()))
    await audit.take(record)
    await nothing_is_unknown(database, AUDIT, record)


async def test_event_that_audit_set_aside_is_known(database: Database) -> None:
    audit = an_audit(database, await database.pool("qnt9_audit"))
    refused = replace(now(an_event_record()), partition=2**40)
    aside = now(an_event_record())
    audit.work.controls.instructions = [instruction("set-aside", aside)]
    await audit.take(refused, aside)
    assert len(audit.dead_letters.written) == len(messages(AUDIT, refused, aside)) == 2
    await nothing_is_unknown(database, AUDIT, refused, aside)


async def test_event_whose_row_was_removed_is_known(database: Database) -> None:
    audit = an_audit(database, await database.pool("qnt9_audit"))
    record = now(an_event_record())
    await audit.take(record)
    await database.execute("DELETE FROM audit_log")
    await nothing_is_unknown(database, AUDIT, record)
