"""What somebody with the credential of a worker or the cache could write for a gateway to read."""

import asyncio
from contextlib import suppress
from typing import Any, cast

import orjson
import pytest
from redis.asyncio import Redis

from contracts.ids import uuid7
from contracts.outcomes import Succeeded, outcome_of
from contracts.quotes import CachedQuote, cache_key
from gateway import queries
from gateway.auth.revocation import MAX_REMEMBERED, Revocations
from gateway.commands.result_problems import settled
from gateway.commands.results import CommandResult, CommandResults
from gateway.problems import ProblemError
from gateway.quotes import quote_cache as module
from gateway.quotes.quote_cache import MAX_QUOTE_BYTES, QuoteCache
from infra.messaging.access_changes import MAX_NAMED, AccessChanges
from infra.postgres.pool import Pool
from tests.support.gateway.quote_deps import ahead
from tests.support.postgres import Database
from tests.support.users import a_user
from tests.support.workers.quote_builders import a_quote

NO_OUTCOMES: list[Any] = [
    5,
    "text",
    [],
    {},
    {"status": "unheard of"},
    {"status": "failed"},
    {"status": "failed", "code": 7},
    {"status": "failed", "code": "a", "detail": {}},
    {"status": "succeeded", "result": [1]},
    {"status": "succeeded", "result": "text"},
]


@pytest.mark.parametrize("outcome", NO_OUTCOMES)
def test_what_is_no_outcome_is_refused_as_such(outcome: Any) -> None:
    with pytest.raises(ValueError, match="outcome"):
        outcome_of(outcome)


async def test_rows_that_are_no_outcomes_keep_no_one_else_waiting(
    redis_away: Redis, database: Database
) -> None:
    bad, good = [uuid7() for _ in NO_OUTCOMES], uuid7()
    rows = [*zip(bad, NO_OUTCOMES, strict=True), (good, Succeeded().to_json())]
    for row_id, outcome in rows:
        await database.execute(
            "INSERT INTO inbox (message_id, consumer, type, outcome) VALUES ($1, 'a', 'a', $2)",
            row_id,
            outcome,
        )
    outcomes = CommandResults(redis_away, await database.pool("qnt9_gateway"), "a channel")
    for row_id in bad:
        outcomes.expect(row_id)
    reported = outcomes.expect(good)
    polling = asyncio.create_task(outcomes.poll())
    async with asyncio.timeout(30):
        assert (await reported).outcome == Succeeded()
    assert not polling.done()
    polling.cancel()
    with suppress(asyncio.CancelledError):
        await polling


def test_refusal_with_an_unknown_code_is_a_problem_that_the_document_has() -> None:
    reported = CommandResult(outcome_of({"status": "failed", "code": "unheard-of"}), None)
    with pytest.raises(ProblemError) as error:
        settled(reported, None)
    assert error.value.code == "internal-error"


async def test_quote_row_that_is_no_quote_is_as_none(redis_away: Redis, database: Database) -> None:
    good = a_quote()
    for symbol, quote in (("AAPL", good.model_dump(mode="json")), ("X", {}), ("Y", [1])):
        await database.execute(
            "INSERT INTO quotes (symbol, quote, as_of, fetched_at) VALUES ($1, $2, now(), now())",
            symbol,
            quote,
        )
    known = QuoteCache(redis_away, await database.pool("qnt9_gateway"))
    assert (await known.quotes(["AAPL", "X", "Y"])).keys() == {"AAPL"}


async def test_cached_quote_of_a_large_size_is_neither_shown_nor_remembered(
    redis: Redis, database: Database
) -> None:
    known = QuoteCache(redis, await database.pool("qnt9_gateway"))
    remembered = module._quote.cache_info().currsize
    for name in ("x" * MAX_QUOTE_BYTES, "x" * 500_000):
        quote = a_quote().model_copy(update={"name": name})
        entry = CachedQuote(quote=quote, fresh_until=ahead(seconds=60))
        await redis.set(cache_key("AAPL"), entry.model_dump_json())
        assert await known.quotes(["AAPL"]) == {}
    assert module._quote.cache_info().currsize == remembered


def test_announcement_of_too_many_changes_is_refused() -> None:
    fits = AccessChanges({uuid7() for _ in range(MAX_NAMED)})
    assert AccessChanges.from_json(fits.to_json()) == fits
    fits.users.add(uuid7())
    for data in (fits.to_json(), b"[]", b"5", orjson.dumps({"sessions": 5, "users": []})):
        with pytest.raises(ValueError, match="announcement"):
            AccessChanges.from_json(data)


def test_flood_of_announcements_is_not_remembered_without_end() -> None:
    access = Revocations(cast("Redis", None), cast("Pool", None), lambda: 0.0)
    for _ in range(MAX_REMEMBERED // MAX_NAMED + 5):
        changes = AccessChanges({uuid7() for _ in range(MAX_NAMED)})
        access._hear({"type": "message", "data": changes.to_json()})
    assert len(access._ended) <= MAX_REMEMBERED + MAX_NAMED


async def test_rows_beyond_what_a_user_can_have_are_not_read(database: Database) -> None:
    owner = await a_user(database)
    await database.execute(
        "INSERT INTO watchlist_items (user_id, symbol)"
        " SELECT $1, 'S' || n FROM generate_series(1, 2 * $2) n",
        owner,
        queries.MAX_ITEMS,
    )
    await database.execute(
        "INSERT INTO sessions (id, user_id)"
        " SELECT gen_random_uuid(), $1 FROM generate_series(1, 2 * $2)",
        owner,
        queries.MAX_SESSIONS,
    )
    pool = await database.pool("qnt9_gateway")
    assert len(await queries.watchlist(pool, owner)) == queries.MAX_ITEMS
    assert len(await queries.open_sessions(pool, owner)) == queries.MAX_SESSIONS
