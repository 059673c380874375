"""Quotes at the edge: fresh from the cache, else asked of the worker that owns the symbol."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.commands import LookUpQuote
from contracts.ids import uuid7
from contracts.outcomes import Rejected, Succeeded
from contracts.quotes import CachedQuote, Quote, cache_key
from gateway import views
from gateway.commands import Commands, Intent
from gateway.endpoints import Call
from gateway.problems import ProblemError
from infra.postgres.pool import UNAVAILABLE, Pool

log = structlog.get_logger(__name__)

LOOK_UP_SECONDS = 8.0
KNOWN_SECONDS = 2.0
ROW_POLL_SECONDS = 0.1
UNANSWERED_SECONDS = 5.0
ROW_FRESH = timedelta(seconds=60)
REMEMBERED = 50_000
CACHE_SECONDS = 1.0
CACHE_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Unknown:
    """No provider has this symbol."""


class Quotes:
    """Reads the cache, then the last good row; asks the quotes worker for what is not fresh."""

    def __init__(self, redis: Redis, pool: Pool, commands: Commands) -> None:
        self._redis = redis
        self._pool = pool
        self._commands = commands
        self._known: dict[str, None] = {}
        self._unanswered_until = 0.0
        self._cache_away_until = 0.0

    async def quote(self, call: Call, symbol: str) -> Quote:
        """The best there is within the wait. Raises `ProblemError`."""
        cached = await self._cached(symbol)
        if cached and cached.fresh_until > datetime.now(UTC):
            return self._shown(cached.quote, symbol)
        asked = datetime.now(UTC)
        found = None
        with suppress(ProblemError):  # without the broker nobody can be asked
            found = await self._ask(call, symbol, LOOK_UP_SECONDS)
        if isinstance(found, _Unknown):
            raise ProblemError("unknown-symbol")
        if found is None:
            found = await self._last_good(symbol, asked)
        if found is None:
            raise ProblemError("quote-unavailable")
        return self._shown(found, symbol)

    async def many(self, symbols: list[str]) -> dict[str, dict[str, Any]]:
        """What the cache holds for these, stale or not, without asking anybody."""
        if not symbols:
            return {}
        values = await self._values(symbols)
        found: dict[str, dict[str, Any]] = {}
        for symbol, value in zip(symbols, values, strict=True):
            cached = _parse(value)
            if cached and cached.quote:
                found[symbol] = cached.quote.model_dump(mode="json")
        return found

    async def exists(self, call: Call, symbol: str) -> bool:
        """False only for a symbol that a provider says it does not have."""
        if symbol in self._known:
            return True
        cached = await self._cached(symbol)
        if cached and cached.quote is None and cached.fresh_until <= datetime.now(UTC):
            cached = None
        if cached is None:
            with suppress(*UNAVAILABLE):
                if await views.last_quote(self._pool, symbol):
                    return self._remember(symbol)
            return await self._provider_has(call, symbol)
        return self._remember(symbol) if cached.quote else False

    async def _provider_has(self, call: Call, symbol: str) -> bool:
        """True also when nobody can tell; then nobody is asked again for a while.

        Raises `ProblemError` without the broker: the change could not be published either.
        """
        loop = asyncio.get_running_loop()
        if self._unanswered_until > loop.time():
            return True
        try:
            answer = await self._ask(call, symbol, KNOWN_SECONDS)
        except ProblemError as error:
            raise ProblemError("broker-unavailable") from error
        if isinstance(answer, _Unknown):
            return False
        if answer:
            return self._remember(symbol)
        self._unanswered_until = loop.time() + UNANSWERED_SECONDS
        return True

    async def _cached(self, symbol: str) -> CachedQuote | None:
        return _parse((await self._values([symbol]))[0])

    async def _values(self, symbols: list[str]) -> list[bytes | str | None]:
        """What the cache server has. One that failed is left alone for a moment: nobody waits."""
        loop = asyncio.get_running_loop()
        if self._cache_away_until <= loop.time():
            try:
                async with asyncio.timeout(CACHE_SECONDS):
                    return await self._redis.mget([cache_key(symbol) for symbol in symbols])
            except (RedisError, OSError):
                self._cache_away_until = loop.time() + CACHE_AGAIN_SECONDS
        return [None] * len(symbols)

    async def _ask(self, call: Call, symbol: str, seconds: float) -> Quote | _Unknown | None:
        intent = Intent(uuid7(), datetime.now(UTC), None)
        command = LookUpQuote(symbol=symbol)
        asking = asyncio.ensure_future(
            self._commands.ask(call, intent, command, key=symbol, seconds=seconds)
        )
        watching = asyncio.ensure_future(self._new_row(symbol, intent.time, seconds))
        try:
            await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and not asking.done() and (row := watching.result()):
                return row
            told = await asking
        finally:
            asking.cancel()
            watching.cancel()
        match told.outcome if told else None:
            case Succeeded(result={"quote": quote}):
                return Quote.model_validate(quote)
            case Rejected(code="unknown-symbol"):
                return _Unknown()
        return None

    async def _new_row(self, symbol: str, since: datetime, seconds: float) -> Quote | None:
        """While the cache server is away nobody wakes us: look for the row the worker writes."""
        ends = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(ROW_POLL_SECONDS)
            if self._commands.hears_wakeups:
                continue
            with suppress(*UNAVAILABLE):
                row = await views.last_quote(self._pool, symbol)
                if row and row["fetched_at"] >= since:
                    return Quote.model_validate(row["quote"])
        return None

    async def _last_good(self, symbol: str, asked: datetime) -> Quote | None:
        """Raises what Postgres raises when it is away: then nothing can be shown."""
        row = await views.last_quote(self._pool, symbol)
        if row is None:
            return None
        quote = Quote.model_validate(row["quote"])
        if row["fetched_at"] >= asked - ROW_FRESH:
            return quote
        return quote.model_copy(update={"stale": True, "stale_reason": "timeout"})

    def _shown(self, quote: Quote | None, symbol: str) -> Quote:
        if quote is None:
            raise ProblemError("unknown-symbol")
        self._remember(symbol)
        return quote

    def _remember(self, symbol: str) -> bool:
        self._known[symbol] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return True


def _parse(value: bytes | str | None) -> CachedQuote | None:
    if value is None:
        return None
    try:
        return CachedQuote.model_validate_json(value)
    except ValidationError:
        log.warning("cached_quote_unreadable")
        return None
