from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import asyncpg
import orjson
import pytest

from contracts.ids import uuid7
from contracts.personal import PersonalKey
from contracts.topics import AUDIT, topics_of
from tests.support.message_builders import NOW, a_personal_key, a_record
from tests.support.postgres import Database
from tests.support.workers.audit_slice import Audit, an_envelope_of_type, an_event_record
from workers.audit.handlers import CONTRADICTIONS

LATER = datetime(2027, 1, 1, tzinfo=UTC)


async def keep(database: Database, key: PersonalKey) -> None:
    await database.execute(
        "INSERT INTO personal_keys (id, secret) VALUES ($1, $2)", key.id, key.secret
    )


async def test_an_event_becomes_a_row_with_user_address_and_client(
    audit: Audit, database: Database
) -> None:
    user = uuid7()
    key = a_personal_key(user)
    await keep(database, key)
    client = key.encrypt({"ip": "203.0.113.7", "agent": "a browser"})
    data = {"user_id": str(user), "email": key.encrypt("anna@example.com"), "client": client}
    record = an_event_record("qnt9.user.signed_up.v1", data)
    await audit.take(record)
    [row] = await audit.rows()
    assert row["user_id"] == user
    assert row["action"] == "user.signup"
    assert row["details"] == {"user_id": str(user), "email": data["email"]}
    assert row["ip_address"] == ip_address("203.0.113.7")
    assert row["user_agent"] == "a browser"
    assert row["created_at"] == NOW
    assert row["payload"] == record.value
    assert row["headers"]["ce_type"] == row["type"] == "qnt9.user.signed_up.v1"
    assert row["correlation_id"] == "a-request"
    assert (row["topic"], row["partition"], row["offset"], row["key"]) == (
        record.topic,
        record.partition,
        record.offset,
        record.key,
    )


async def test_an_event_delivered_again_is_one_row(audit: Audit) -> None:
    record = an_event_record()
    await audit.take(record, record)
    await audit.take(record)
    assert len(await audit.rows()) == 1


async def test_a_type_that_this_version_does_not_know_is_recorded(audit: Audit) -> None:
    await audit.take(an_event_record("qnt9.portfolio.opened.v3", {"colour": "blue"}))
    [row] = await audit.rows()
    assert (row["action"], row["details"]) == ("portfolio.opened", {"colour": "blue"})
    assert row["user_id"] is None


async def test_after_erasure_the_row_comes_without_address_and_client(audit: Audit) -> None:
    client = a_personal_key().encrypt({"ip": "203.0.113.7", "agent": "a browser"})
    await audit.take(an_event_record(data={"client": client}))
    [row] = await audit.rows()
    assert row["ip_address"] is None
    assert row["user_agent"] is None


@pytest.mark.parametrize("data", [None, [], [1, [2]], "text", 7, {"a\0": "\0"}])
async def test_any_json_is_recorded_with_its_bytes(audit: Audit, data: object) -> None:
    value = orjson.dumps(data)
    envelope = an_envelope_of_type("qnt9.strange.happened.v1")
    good = an_event_record()
    await audit.take(a_record(value, envelope=envelope, topic="users.events"), good)
    rows = {row["event_id"]: row for row in await audit.rows()}
    assert rows[envelope.id]["payload"] == value
    assert len(rows) == 2
    assert not audit.dead_letters.written


async def test_a_row_lies_in_the_partition_of_its_event(audit: Audit) -> None:
    await audit.take(an_event_record(time=datetime.now(UTC)))
    await audit.take(an_event_record(time=datetime(2001, 2, 3, tzinfo=UTC)))
    by_partition = await audit.database.fetch("SELECT tableoid::regclass::text AS p FROM audit_log")
    partitions = {row["p"] for row in by_partition}
    assert partitions == {"audit_log_other", f"audit_log_{datetime.now(UTC):%Y%m}01"}


async def test_broken_json_is_set_aside_and_the_rest_recorded(audit: Audit) -> None:
    broken = a_record(b"{", envelope=an_envelope_of_type("qnt9.x.y.v1"), topic="users.events")
    await audit.take(broken, an_event_record())
    assert len(await audit.rows()) == 1
    [dead_letter] = audit.dead_letters.written
    assert dead_letter.record is broken
    assert "not JSON" in dead_letter.failure.reason


async def test_a_row_that_postgres_refuses_is_isolated(audit: Audit) -> None:
    refused = an_event_record(key="bad")
    refused.partition = 2**40
    await audit.take(*(an_event_record(key=f"key {n}") for n in range(20)), refused)
    assert len(await audit.rows()) == 20
    assert [dead_letter.record for dead_letter in audit.dead_letters.written] == [refused]


async def test_the_role_can_insert_and_nothing_else(database: Database) -> None:
    pool = await database.pool("qnt9_audit")
    for statement in ("UPDATE audit_log SET action = ''", "DELETE FROM audit_log"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_event_under_the_id_of_another_is_no_row_and_an_alarm(
    audit: Audit,
) -> None:
    first = an_event_record(data={"n": 1})
    other_content = replace(first, value=b'{"n": 2}', offset=first.offset + 1)
    later = [
        (name, (LATER.isoformat().encode() if name == "ce_time" else value))
        for name, value in first.headers
    ]
    other_time = replace(first, headers=later, offset=first.offset + 2)
    before = CONTRADICTIONS._value.get()  # its public way out is text
    await audit.take(first, other_content)
    await audit.take(other_time)
    await audit.take(first)
    (row,) = await audit.rows()
    assert row["payload"] == b'{"n":1}'
    assert CONTRADICTIONS._value.get() - before == 2


async def test_topic_that_is_none_of_the_logs_is_refused(audit: Audit) -> None:
    await audit.take(replace(an_event_record(), topic="strangers.events"))
    assert not await audit.rows()
    assert len(audit.dead_letters.written) == 1


async def test_topics_that_the_database_takes_are_those_of_the_contracts(audit: Audit) -> None:
    names = [n for topic in topics_of(AUDIT) for n in (topic.name, topic.redrive(AUDIT))]
    await audit.take(*(replace(an_event_record(), topic=name) for name in names))
    assert {row["topic"] for row in await audit.rows()} == set(names)
