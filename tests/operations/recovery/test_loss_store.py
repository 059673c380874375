"""What the database knows that Kafka does not, found on a real database."""

from hashlib import sha256
from uuid import UUID

from contracts.envelope import Envelope
from infra.postgres.pool import Connection
from operations.recovery import loss_store
from operations.recovery.loss_store import Loss
from tests.support.message_builders import ARecord
from tests.support.postgres import Database
from tests.support.workers.audit_slice import an_audit, an_event_record


def id_of(record: ARecord) -> UUID:
    return Envelope.from_headers(record.headers).id


async def logged(database: Database, count: int) -> list[ARecord]:
    """Events of one partition that the log has."""
    audit = an_audit(database, await database.pool("qnt9_audit"))
    records = [an_event_record() for _ in range(count)]
    await audit.take(*records)
    return records


async def losses(conn: Connection, *there: ARecord) -> list[Loss]:
    """What Kafka has lost when it has these records."""
    await loss_store.prepare(conn)
    async with conn.transaction(isolation="repeatable_read"):
        known = [(id_of(each), sha256(each.value or b"").digest()) for each in there]
        await loss_store.add_records(conn, known)
        await loss_store.find_losses(conn)
    return await loss_store.losses(conn)


async def test_kafka_that_has_everything_has_lost_nothing(database: Database) -> None:
    records = await logged(database, 5)
    async with (await database.pool()).acquire() as conn:
        assert await losses(conn, *records) == []
        assert await loss_store.count_unrecorded(conn) == 0


async def test_events_that_kafka_does_not_have_are_found_in_their_order(
    database: Database,
) -> None:
    records = await logged(database, 5)
    place = (records[0].topic, records[0].partition)
    async with (await database.pool()).acquire() as conn:
        assert await losses(conn, records[0], records[3]) == [Loss(place, 3, 0, 0)]
        rows = await loss_store.lost_rows(conn, (0, 0), 100)
        assert [row["payload"] for row in rows] == [records[n].value for n in (1, 2, 4)]
        first = (rows[0]["chain"], rows[0]["sequence"])
        assert len(await loss_store.lost_rows(conn, first, 100)) == 2


async def test_record_with_the_id_and_another_content_is_not_the_event(database: Database) -> None:
    (record,) = await logged(database, 1)
    other = ARecord(b'{"forged": true}', record.headers, record.topic, record.key)
    async with (await database.pool()).acquire() as conn:
        (loss,) = await losses(conn, other)
    assert loss.kept == 1


async def test_rows_that_their_chain_does_not_prove_are_distinguished(database: Database) -> None:
    records = await logged(database, 4)
    await database.execute(
        "UPDATE audit_log SET action = 'forged' WHERE event_id = $1", id_of(records[1])
    )
    await database.execute("DELETE FROM audit_log WHERE event_id = $1", id_of(records[2]))
    async with (await database.pool()).acquire() as conn:
        (loss,) = await losses(conn)
        assert (loss.kept, loss.changed, loss.removed) == (2, 1, 1)
        rows = await loss_store.lost_rows(conn, (0, 0), 100)
    assert [row["payload"] for row in rows] == [records[n].value for n in (0, 3)]


async def test_event_that_only_the_outbox_has_is_published_again(database: Database) -> None:
    (record,) = await logged(database, 1)
    for id_, published in ((id_of(record), "now()"), (UUID(int=1), "now()"), (UUID(int=2), "null")):
        await database.execute(
            f"""
            INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers,
                                published_at)
            VALUES ($1, 'users', 'ada', 'a type', '{{}}', '{{}}', {published})
            """,  # of two words
            id_,
        )
    async with (await database.pool()).acquire() as conn:
        await losses(conn)
        assert await loss_store.count_unrecorded(conn) == 1
        assert await loss_store.publish_again(conn) == 1
    waiting = await database.fetch("SELECT id FROM outbox WHERE published_at IS NULL ORDER BY id")
    assert [row["id"] for row in waiting] == [UUID(int=1), UUID(int=2)]
