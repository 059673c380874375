"""The chain that the database keeps, against the definition that proves it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from infra.audit.checkpoints import Checkpoint, Head
from infra.audit.entry import Client, entry_of
from infra.postgres.migrate import migrate, read_migrations
from operations.audit.comparison import event_of
from operations.audit.verification import Report, Verifier
from tests.support.message_builders import NOW, ARecord, a_record
from tests.support.postgres import Database, Server
from tests.support.workers.audit_slice import Audit, an_audit, an_envelope_of_type, an_event_record
from workers.audit import store

LATER = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
async def audit(database: Database) -> Audit:
    return an_audit(database, await database.pool("qnt9_audit"))


async def verified(database: Database, *checkpoints: Checkpoint) -> Report:
    async with (await database.pool()).acquire() as conn:
        return await Verifier().verify(conn, checkpoints)


async def checkpoint(database: Database) -> Checkpoint:
    async with (await database.pool("qnt9_audit")).acquire() as conn:
        return Checkpoint(LATER, await store.heads(conn))


def events(number: int, *, first: int = 0, partition: int = 0) -> list[ARecord]:
    """In a row on one partition."""
    return [
        replace(an_event_record(data={"n": n}, key=f"{n % 3}"), partition=partition, offset=n)
        for n in range(first, first + number)
    ]


async def test_every_row_is_a_link_on_the_one_before(audit: Audit, database: Database) -> None:
    await audit.take(*events(3), *events(2, partition=4))
    await audit.take(*events(2, first=3))
    report = await verified(database, await checkpoint(database))
    assert report.faults == []
    assert (report.entries, report.chains, report.checkpoints) == (7, 2, 1)
    heads = {head.partition: head.length for head in (await checkpoint(database)).heads}
    assert heads == {0: 5, 4: 2}


async def test_what_comes_again_adds_nothing(audit: Audit, database: Database) -> None:
    batch = events(4)
    await audit.take(*batch, batch[0])
    before = await checkpoint(database)
    await audit.take(*batch)
    await audit.take(batch[2], *events(1, first=4))
    after = await checkpoint(database)
    assert (before.entries, after.entries) == (4, 5)
    assert (await verified(database, before, after)).whole


async def test_a_row_that_comes_back_from_its_topic_has_its_link_already(
    audit: Audit, database: Database
) -> None:
    batch = events(5)
    await audit.take(*batch)
    signed = await checkpoint(database)
    await database.execute("DELETE FROM audit_log")
    assert not (await verified(database, signed)).whole
    audit = an_audit(database, await database.pool("qnt9_audit"))
    await audit.take(*batch, *events(1, first=5))
    report = await verified(database, signed)
    assert (report.faults, report.entries) == ([], 6)


async def test_a_lost_log_has_the_same_hashes_when_it_is_made_again(
    audit: Audit, database: Database
) -> None:
    batch = events(7)
    await audit.take(*batch[:3])
    await audit.take(*batch[3:])
    signed = await checkpoint(database)
    for table in ("audit_chain", "audit_heads", "audit_log"):
        await database.execute(f"DELETE FROM {table}")
    audit = an_audit(database, await database.pool("qnt9_audit"))
    await audit.take(*batch)
    assert (await verified(database, signed)).faults == []


async def test_fields_of_every_kind_are_hashed_alike(audit: Audit, database: Database) -> None:
    strange = {
        "user_id": "0190b7e0-0000-7000-8000-000000000001",
        "text": 'a "quote", a \\ and a \x00, ünï 💶',
        "numbers": [1, -1.5, 1e300, 10**18, 0.1],
        "nested": {"b": None, "a": [True, {}]},
    }
    await audit.take(an_event_record(data=strange), an_event_record(data=[1, 2]))
    await audit.take(
        a_record(
            b"no json \xff",
            envelope=an_envelope_of_type("qnt9.x.y.v1", time=NOW - timedelta(days=9_000)),
            topic="watchlists.events",
            key=None,
        ),
        an_event_record(data="just a text", time=NOW + timedelta(microseconds=1)),
    )
    report = await verified(database)
    assert report.faults == []
    assert report.entries == len(await audit.rows()) > 2


@pytest.mark.parametrize(
    "change",
    [
        "action = 'user.signin'",
        "user_id = uuidv7()",
        "details = '{}'",
        "payload = 'x'",
        "key = NULL",
        "headers = headers - 'ce_type'",
        '"offset" = 77',
        "correlation_id = 'another'",
        "type = 'another'",
    ],
)
async def test_a_row_that_was_changed_is_named(
    audit: Audit, database: Database, change: str
) -> None:
    await audit.take(*events(5))
    victim = (await database.fetch("SELECT event_id FROM audit_chain WHERE sequence = 3"))[0]
    await database.execute(f"UPDATE audit_log SET {change} WHERE event_id = $1", victim["event_id"])
    report = await verified(database)
    assert report.faults == [
        f"watchlists.events/0: entry 3, event {victim['event_id']}, is not as it was recorded"
    ]
    assert report.entries == 0


async def test_a_row_that_was_taken_out_or_slipped_in_is_named(
    audit: Audit, database: Database
) -> None:
    await audit.take(*events(4))
    [gone] = await database.fetch(
        """
        DELETE FROM audit_log
         WHERE event_id = (SELECT event_id FROM audit_chain WHERE sequence = 2)
        RETURNING event_id
        """
    )
    await database.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_chain")
    await database.execute(
        """
        INSERT INTO audit_log (event_id, action, details, created_at, type, topic, partition,
                               "offset", headers, payload)
        SELECT '00000000-0000-4000-8000-000000000001', action, details, created_at, type, topic,
               partition, "offset", headers, payload
          FROM audit_log
         LIMIT 1
        """
    )
    assert (await verified(database)).faults == [
        f"watchlists.events/0: entry 2, event {gone['event_id']}, is not in the log",
        "event 00000000-0000-4000-8000-000000000001 is in no chain",
    ]


async def test_a_chain_that_was_cut_is_missed_by_its_head_or_by_a_checkpoint(
    audit: Audit, database: Database
) -> None:
    await audit.take(*events(5))
    signed = await checkpoint(database)
    await database.execute("DELETE FROM audit_chain WHERE sequence > 3")
    await database.execute(
        "DELETE FROM audit_log WHERE event_id NOT IN (SELECT event_id FROM audit_chain)"
    )
    assert (await verified(database)).faults == [
        "watchlists.events/0: ends at entry 3, its head says 5"
    ]
    await database.execute(
        """
        UPDATE audit_heads SET length = 3, hash = audit_chain.hash
          FROM audit_chain WHERE sequence = 3
        """
    )
    assert (await verified(database)).whole
    assert (await verified(database, signed)).faults == [
        f"watchlists.events/0: ends at entry 3, the checkpoint of {LATER} has 5 entries"
    ]


async def test_history_written_anew_is_not_what_was_signed(
    audit: Audit, database: Database
) -> None:
    """By somebody who rules the database and computes every hash again."""
    await audit.take(*events(5))
    signed = await checkpoint(database)
    for table in ("audit_chain", "audit_log"):
        await database.execute(f"DELETE FROM {table}")
    await database.execute("UPDATE audit_heads SET length = 0, hash = $1", bytes(32))
    audit = an_audit(database, await database.pool("qnt9_audit"))
    await audit.take(*events(5))
    assert (await verified(database)).whole
    assert (await verified(database, signed)).faults == [
        f"watchlists.events/0: entry 5 is not what the checkpoint of {LATER} has signed"
    ]
    await database.execute("DELETE FROM audit_chain")
    await database.execute("DELETE FROM audit_heads")
    await database.execute("DELETE FROM audit_log")
    assert (await verified(database, signed)).faults == [
        f"watchlists.events/0: has no chain, the checkpoint of {LATER} has 5 entries"
    ]


async def test_checkpoints_that_contradict_each_other_are_named(
    audit: Audit, database: Database
) -> None:
    await audit.take(*events(2))
    signed = await checkpoint(database)
    other = Checkpoint(LATER, (Head("watchlists.events", 0, 2, bytes(32)),))
    report = await verified(database, signed, other)
    assert [f for f in report.faults if "contradict" in f]


async def test_a_verifier_goes_on_from_where_it_was(audit: Audit, database: Database) -> None:
    await audit.take(*events(3))
    verifier = Verifier()
    async with (await database.pool()).acquire() as conn:
        assert (await verifier.verify(conn, [])).entries == 3
        await audit.take(*events(2, first=3))
        report = await verifier.verify(conn, [await checkpoint(database)])
    assert report.whole
    assert report.entries == 2


async def test_two_that_add_at_once_make_one_chain(database: Database, audit: Audit) -> None:
    """A process that was taken for dead has the same batch in hand as its successor."""
    pool = await database.pool("qnt9_audit")
    batch = events(30)
    work = [audit.take(*batch) for _ in range(4)]
    work += [audit.take(*batch[20:]) for _ in range(4)]
    await asyncio.gather(*work)
    report = await verified(database, await checkpoint(database))
    assert report.faults == []
    assert report.entries == 30
    assert pool.get_size() > 1


async def test_erasure_leaves_the_chain_whole(audit: Audit, database: Database) -> None:
    await audit.take(*events(3))
    await database.execute("UPDATE audit_log SET ip_address = '203.0.113.7', user_agent = 'x'")
    await database.execute("UPDATE audit_log SET ip_address = NULL, user_agent = NULL")
    assert (await verified(database)).whole


async def test_the_role_that_adds_rows_can_change_no_chain(database: Database) -> None:
    pool = await database.pool("qnt9_audit")
    for statement in (
        "INSERT INTO audit_chain VALUES (1, 1, uuidv7(), now(), '')",
        "DELETE FROM audit_chain",
        "UPDATE audit_heads SET length = 0",
        "DELETE FROM audit_log",
        "UPDATE audit_log SET action = ''",
        "TRUNCATE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER audit_chain",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_a_log_of_before_is_taken_into_the_chain(
    postgres_server: Server, tmp_path: Path
) -> None:
    for migration in read_migrations()[:13]:
        (tmp_path / f"{migration.name}.sql").write_text(migration.sql, "utf-8")
    async with postgres_server.database() as name, AsyncExitStack() as resources:
        dsn = postgres_server.dsn("qnt9_owner", name)
        await migrate(dsn, tmp_path)
        database = Database(postgres_server, name, resources)
        audit = an_audit(database, await database.pool("qnt9_audit"))
        before = [event_of(record) for record in [*events(3), *events(2, partition=1)]]
        async with (await database.pool("qnt9_audit")).acquire() as conn:
            await store.insert(conn, [(entry_of(each), Client()) for each in before if each])
        await migrate(dsn)
        report = await verified(database, await checkpoint(database))
        assert (report.faults, report.entries, report.chains) == ([], 5, 2)
        await audit.take(*events(2, first=3))
        report = await verified(database)
        assert (report.faults, report.entries, report.chains) == ([], 7, 2)
