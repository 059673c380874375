"""The SQL of quotes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.quotes import CachedQuote, Quote
from infra.postgres.pool import Connection, Pool
from workers.quotes.rules import ROW_FRESH


async def save(conn: Connection, quote: Quote, fresh_until: datetime) -> bool:
    """Keep the newest as the symbol's last good quote. Whether its price or time changed."""
    changed: bool | None = await conn.fetchval(
        """
        INSERT INTO quotes (symbol, quote, as_of, fetched_at, fresh_until)
        VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (symbol) DO UPDATE
           SET quote = excluded.quote, as_of = excluded.as_of, fetched_at = excluded.fetched_at,
               fresh_until = excluded.fresh_until
         WHERE quotes.fetched_at < excluded.fetched_at
        RETURNING (old.quote ->> 'price', old.as_of) IS DISTINCT FROM
                  (new.quote ->> 'price', new.as_of)
        """,
        quote.symbol,
        quote.model_dump(mode="json"),
        quote.as_of,
        quote.fetched_at,
        fresh_until,
    )
    return bool(changed)


async def last_good(pool: Pool, symbols: Sequence[str]) -> dict[str, CachedQuote]:
    """The last good quotes that there are, each with its time, as the cache would hold them."""
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            "SELECT symbol, quote, fetched_at, fresh_until FROM quotes WHERE symbol = ANY($1)",
            symbols,
        )
    return {
        row["symbol"]: CachedQuote(
            quote=Quote.model_validate(row["quote"]),
            fresh_until=row["fresh_until"] or row["fetched_at"] + ROW_FRESH,
        )
        for row in rows
    }


async def named(pool: Pool, text: str, most: int) -> list[Quote]:
    """Of the last good quotes those whose symbol or name begins so, or has such a word."""
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            """
            SELECT quote
              FROM quotes
             WHERE starts_with(symbol, upper($1))
                OR starts_with(lower(quote ->> 'name'), lower($1))
                OR position(' ' || lower($1) IN lower(quote ->> 'name')) > 0
             ORDER BY symbol <> upper($1), length(symbol), symbol
             LIMIT $2
            """,
            text,
            most,
        )
    return [Quote.model_validate(row["quote"]) for row in rows]


async def keep_answers(pool: Pool, answers: Iterable[tuple[UUID, dict[str, Any]]]) -> None:
    """For gateways that could not be notified; older ones, for which nobody waits, are deleted."""
    async with pool.acquire() as conn:
        await conn.execute("DELETE FROM query_answers WHERE told_at < now() - interval '5 minutes'")
        await conn.executemany(
            """
            INSERT INTO query_answers (command_id, outcome)
            VALUES ($1, $2)
                ON CONFLICT (command_id) DO NOTHING
            """,
            answers,
        )
