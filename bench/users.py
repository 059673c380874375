"""The people of a benchmark: the same users, tokens, lists and quotes in every database."""

import hashlib
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from argon2 import PasswordHasher
from redis.asyncio import Redis

from contracts.ids import uuid7
from contracts.quotes import CachedQuote, Quote, cache_key
from infra.postgres.personal_data_keys import KEY_BYTES, user_key_id
from infra.postgres.pool import Connection
from infra.security.access_tokens import TokenSigner
from infra.security.address_hmac import address_hash
from infra.security.password_hashing import ITERATIONS, LANES, MEMORY_KIB
from infra.security.refresh_tokens import SECRET_BYTES, refresh_token

USERS = 1_000
SYMBOLS = 2_000
LISTED, FOLLOWED = 40, 20
"""Symbols that a user asks for, and how many are on the list at the start; 50 are allowed."""

PASSWORD = "Quiet-harbour-61-lantern"  # of nobody
TOKENS_GOOD_FOR = timedelta(minutes=4)
"""A measurement is far shorter than what an access token has left after that."""


@dataclass(frozen=True)
class Person:
    """A user, and the session that the tokens are for."""

    number: int
    id: UUID
    session_id: UUID

    refresh_token: str = field(repr=False)

    @property
    def email(self) -> str:
        return f"bench-{self.number}@example.com"

    @property
    def symbols(self) -> list[str]:
        return [symbol(self.number * 7 + k * 53) for k in range(LISTED)]


def symbol(number: int) -> str:
    return f"X{number % SYMBOLS + 1:04d}.DE"


def _somebody(number: int) -> Person:
    session_id = uuid7()
    return Person(number, uuid7(), session_id, refresh_token(session_id, os.urandom(SECRET_BYTES)))


class Users:
    """Everybody, with tokens that are never close to their end."""

    def __init__(self, token_private_key: bytes) -> None:
        self.everybody = [_somebody(number) for number in range(USERS)]
        self._signer = TokenSigner(token_private_key)
        self._signed_at: datetime | None = None
        self._tokens: list[str] = []

    @cached_property
    def password_hash(self) -> str:
        """One hash for all: it takes as long to check as any other."""
        return PasswordHasher(ITERATIONS, MEMORY_KIB, LANES).hash(PASSWORD)

    def tokens(self) -> Sequence[str]:
        """One for each person, made by the system's own key."""
        now = datetime.now(UTC)
        if self._signed_at is None or now - self._signed_at > TOKENS_GOOD_FOR:
            self._signed_at = now
            self._tokens = [self._token(person, now) for person in self.everybody]
        return self._tokens

    def _token(self, person: Person, now: datetime) -> str:
        return self._signer.sign(
            user_id=person.id,
            session_id=person.session_id,
            tier="free",
            verified=True,
            permissions=[],
            version=1,
            now=now,
        )


async def settle_in(conn: Connection, users: Users, address_key: bytes | None) -> None:
    """Users, sessions and quotes; with an address key into the system's tables, else plain ones."""
    now = datetime.now(UTC)
    rows = [_user(person, users.password_hash, now) for person in users.everybody]
    if address_key:
        for user in rows:
            user["address_hash"] = address_hash(address_key, user["email"])
    await _copy(conn, "users", rows)
    if address_key:
        keys = [
            {"id": user_key_id(person.id), "secret": os.urandom(KEY_BYTES)}
            for person in users.everybody
        ]
        await _copy(conn, "personal_keys", keys)
    sessions = [{"id": p.session_id, "user_id": p.id} for p in users.everybody]
    await _copy(conn, "sessions", sessions)
    quotes = [_quote_row(quote, dated=address_key is not None) for quote in all_quotes(now)]
    await _copy(conn, "quotes", quotes)


async def lists_as_at_the_start(conn: Connection, users: Users) -> None:
    """Before each measurement that changes lists, every database is in the same state."""
    now = datetime.now(UTC)
    async with conn.transaction():
        await conn.execute("TRUNCATE watchlist_items")
        await _copy(
            conn,
            "watchlist_items",
            [
                {"user_id": p.id, "symbol": s, "note": "as it was", "added_at": now}
                for p in users.everybody
                for s in p.symbols[:FOLLOWED]
            ],
        )
    await conn.execute("ANALYZE watchlist_items")


async def sessions_as_at_the_start(conn: Connection, users: Users) -> None:
    """Every session is open, with the one token that nobody has used."""
    expires_at = datetime.now(UTC) + timedelta(days=30)
    async with conn.transaction():
        await conn.execute("TRUNCATE refresh_tokens")
        await conn.execute("UPDATE sessions SET ended_at = NULL WHERE ended_at IS NOT NULL")
        await _copy(
            conn,
            "refresh_tokens",
            [
                {
                    "token_hash": hashlib.sha256(p.refresh_token.encode()).digest(),
                    "session_id": p.session_id,
                    "expires_at": expires_at,
                }
                for p in users.everybody
            ],
        )
    await conn.execute("ANALYZE refresh_tokens")


async def fill_cache(redis: Redis) -> None:
    """A fresh quote of each symbol, so that nobody is asked about one while it is measured."""
    now = datetime.now(UTC)
    values = {
        cache_key(quote.symbol): CachedQuote(
            quote=quote, fresh_until=now + timedelta(days=1)
        ).model_dump_json()
        for quote in all_quotes(now)
    }
    await redis.mset(values)


def all_quotes(now: datetime) -> list[Quote]:
    prices = random.Random(9)
    return [
        Quote(
            symbol=symbol(number),
            name=f"Sandbox share {number}",
            price=f"{prices.uniform(1, 900):.2f}",
            currency="EUR",
            quoted_unit="EUR",
            previous_close=f"{prices.uniform(1, 900):.2f}",
            change_percent=f"{prices.uniform(-5, 5):.2f}",
            market_state="regular",
            as_of=now,
            fetched_at=now,
            delay_minutes=15,
            source="sandbox",
        )
        for number in range(SYMBOLS)
    ]


def _user(person: Person, password_hash: str, now: datetime) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "display_name": f"Person {person.number}",
        "password_hash": password_hash,
        "email_confirmed_at": now,
    }


def _quote_row(quote: Quote, *, dated: bool) -> dict[str, Any]:
    row = {"symbol": quote.symbol, "quote": orjson.dumps(quote.model_dump(mode="json")).decode()}
    return row | ({"as_of": quote.as_of, "fetched_at": quote.fetched_at} if dated else {})


async def _copy(conn: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    await conn.copy_records_to_table(
        table, columns=list(rows[0]), records=[tuple(row.values()) for row in rows]
    )
