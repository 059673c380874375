"""The SQL of quotes."""

from contracts.quotes import Quote
from infra.postgres.pool import Connection, Pool


async def save(conn: Connection, quote: Quote) -> bool:
    """Keep the newest as the symbol's last good quote. Whether its price or time changed."""
    changed: bool | None = await conn.fetchval(
        """
        INSERT INTO quotes (symbol, quote, as_of, fetched_at)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (symbol) DO UPDATE
           SET quote = excluded.quote, as_of = excluded.as_of, fetched_at = excluded.fetched_at
         WHERE quotes.fetched_at < excluded.fetched_at
        RETURNING (old.quote ->> 'price', old.as_of) IS DISTINCT FROM
                  (new.quote ->> 'price', new.as_of)
        """,
        quote.symbol,
        quote.model_dump(mode="json"),
        quote.as_of,
        quote.fetched_at,
    )
    return bool(changed)


async def last_good(pool: Pool, symbol: str) -> Quote | None:
    async with pool.acquire() as conn:
        value = await conn.fetchval("SELECT quote FROM quotes WHERE symbol = $1", symbol)
    return Quote.model_validate(value) if value else None
