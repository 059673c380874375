"""`qnt9 audit list` on a real log: who did what to whom, any number of rows, at 80 columns."""

import json
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import uuid7
from tests.support.operations.cli_invocation import qnt9
from tests.support.postgres import Database

ADMIN, VICTIM = uuid7(), uuid7()
MANY = 2_345


async def add(
    database: Database,
    action: str,
    *,
    number: int = 1,
    user_id: UUID | None = None,
    actor: UUID | None = None,
    subject: str = "",
    correlation_id: str = "",
    **details: Any,
) -> None:
    headers = {"ce_actorid": str(actor)} if actor else {}
    headers |= {"ce_subject": subject} if subject else {}
    await database.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent, created_at,
                               event_id, type, correlation_id, topic, partition, "offset", headers,
                               payload)
        SELECT $1, $2, $3, '203.0.113.7', 'a browser with a rather long name/' || repeat('7', 30),
               timestamptz '2026-11-03 09:00Z' + n * interval '1 second', gen_random_uuid(),
               'qnt9.' || $2 || '.v1', $4, 'users.events', 0,
               (SELECT count(*) FROM audit_log) + n, $5, ''
          FROM generate_series(1, $6::int) AS n
        """,
        user_id,
        action,
        details,
        correlation_id,
        headers,
        number,
    )


async def listed(database: Database, *words: str) -> list[dict[str, Any]]:
    done = await qnt9("audit", "list", "--json", *words, env={"QNT9_POSTGRES_DSN": database.dsn()})
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def test_an_entry_names_actor_target_operator_event_and_correlation(
    database: Database,
) -> None:
    await add(
        database,
        "user.tier_changed",
        user_id=VICTIM,
        actor=ADMIN,
        correlation_id="request-1",
        tier="pro",
        former_tier="free",
    )
    await add(
        database,
        "ops.redriven",
        subject="watchlist.commands.watchlist.dlq",
        operator="root (sudo: ada)",
        reason="mended",
        offsets=[1, 2, 3, 4],
    )
    [redriven] = await listed(database, "--actor", "root (sudo: ada)")
    assert redriven["operator"] == "root (sudo: ada)"
    assert redriven["target"] == "watchlist.commands.watchlist.dlq"
    assert redriven["details"]["offsets"] == [1, 2, 3, 4], "details are JSON, not text in JSON"
    [changed] = await listed(database, "--actor", str(ADMIN))
    assert (changed["actor_id"], changed["target"]) == (str(ADMIN), str(VICTIM))
    assert changed["correlation_id"] == "request-1"
    assert str(UUID(changed["event_id"])) == changed["event_id"]
    assert await listed(database, "--correlation-id", "request-1") == [changed]
    env = {"QNT9_POSTGRES_DSN": database.dsn()}
    said = (await qnt9("audit", "list", env=env)).stdout
    for words in (f"actor {ADMIN}", f"target {VICTIM}", "correlation request-1", "tier=pro"):
        assert words in said
    assert "operator root (sudo: ada)" in said


async def test_more_than_a_thousand_rows_are_listed(database: Database) -> None:
    await add(database, "user.signed_in", number=MANY, user_id=VICTIM, actor=VICTIM)
    everything = await listed(database, "--all")
    assert len(everything) == len({each["event_id"] for each in everything}) == MANY
    times = [each["created_at"] for each in everything]
    assert times == sorted(times, reverse=True)
    assert await listed(database, "--limit", "1234") == everything[:1234]
    assert len(await listed(database)) == 20


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("--from", "2026-11-03T09:00:05Z", "--to", "2026-11-03T09:00:08Z"), 3),
        (("--from", "99999999d"), 10),
        (("--to", "1969-12-31"), 0),
        (("--from", "now"), 0),
    ],
)
async def test_a_time_chooses_rows(database: Database, words: tuple[str, ...], number: int) -> None:
    await add(database, "user.signed_in", number=10, user_id=VICTIM)
    assert len(await listed(database, *words)) == number


@pytest.mark.parametrize(
    "words",
    [("--from", "12"), ("--from", "now", "--to", "1h"), ("--limit", "0"), ("--user", "ada")],
)
async def test_what_chooses_nothing_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert (await qnt9("audit", "list", *words, env={"QNT9_POSTGRES_DSN": "x"})).exit_code == 2


async def test_a_correlation_id_is_looked_up_by_an_index(database: Database) -> None:
    rows = await database.fetch(
        "EXPLAIN SELECT FROM audit_log WHERE correlation_id = 'request-1' AND created_at > now()"
    )
    assert "correlation" in "\n".join(row["QUERY PLAN"] for row in rows)
