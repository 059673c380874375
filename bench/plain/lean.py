"""The leanest service: Starlette, one prepared statement a request, checked tokens remembered."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.plain import lean_store as store
from bench.plain.common import Symbols, open_redis
from bench.plain.lean_accounts import refresh, sign_in, sign_up
from bench.plain.lean_parts import Parts, Refused, answer, caller_of, client_of, parts_of
from bench.plain.limits import caller as counted
from bench.plain.limits import open_limits
from bench.plain.settings import PlainSettings
from bench.plain.trips import SharedTrips
from contracts.quotes import cache_key
from contracts.values import WATCHLIST_LIMITS, Tier
from gateway.problems import ProblemError
from gateway.rate_limit.policies import QUOTE, READ, WRITE
from gateway.v1.models import NoteBody
from infra.security.access_tokens import TokenChecker, TokenSigner
from infra.security.password_hashing import Passwords

LONGEST_NOTE = 280
_PLAIN = re.compile(r"[ -;=?-~]*")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,19}")


def symbol_of(request: Request) -> str:
    symbol: str = request.path_params["symbol"].strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise Refused(404, "unknown-symbol")
    return symbol


def note_of(body: bytes) -> str | None:
    """The short way for what is plain ASCII, the model for everything else, faults included."""
    data = orjson.loads(body) if body else {}
    note = data.get("note") if isinstance(data, dict) and data.keys() == {"note"} else None
    if isinstance(note, str) and len(note) <= LONGEST_NOTE and _PLAIN.fullmatch(note):
        return note.strip()
    return NoteBody.model_validate(data).note


async def put_item(request: Request) -> Response:
    parts = parts_of(request)
    caller, symbol = caller_of(request, parts), symbol_of(request)
    note = note_of(await request.body())
    taken = await parts.limits.take(WRITE, counted(request, caller))
    if not await parts.symbols.exists(symbol):
        raise Refused(404, "unknown-symbol")
    details = orjson.dumps({"symbol": symbol, "note": note})
    item = store.Item(caller.user_id, symbol, note, details.decode())
    created = await store.save_item(parts.pool, item, client_of(request))
    if created is None:
        raise Refused(409, "watchlist-full")
    return answer(201 if created else 200, details, taken)


async def get_watchlist(request: Request) -> Response:
    parts = parts_of(request)
    caller = caller_of(request, parts)
    taken = await parts.limits.take(READ, counted(request, caller))
    rows = await store.items(parts.pool, caller.user_id)
    values = await parts.trips.many([cache_key(row["symbol"]) for row in rows])
    items = [
        {
            "symbol": row["symbol"],
            "note": row["note"],
            "added_at": row["added_at"],
            "quote": orjson.loads(value)["quote"] if value else _json(row["quote"]),
        }
        for row, value in zip(rows, values, strict=True)
    ]
    return answer(200, {"items": items, "limit": WATCHLIST_LIMITS[Tier(caller.tier)]}, taken)


async def me(request: Request) -> Response:
    parts = parts_of(request)
    caller = caller_of(request, parts, verified=False)
    taken = await parts.limits.take(READ, counted(request, caller))
    row = await store.profile(parts.pool, caller.user_id)
    if row is None:
        raise Refused(401, "unauthenticated")
    return answer(200, dict(row), taken)


async def quote(request: Request) -> Response:
    parts = parts_of(request)
    caller, symbol = caller_of(request, parts), symbol_of(request)
    taken = await parts.limits.take(QUOTE, counted(request, caller))
    value = await parts.trips.one(cache_key(symbol))
    if value:
        cached = orjson.loads(value)
        if cached["quote"] and datetime.fromisoformat(cached["fresh_until"]) > datetime.now(UTC):
            return answer(200, cached["quote"], taken)
    last = await store.last_quote(parts.pool, symbol)
    if last is None:
        raise Refused(404, "unknown-symbol")
    return answer(200, last.encode(), taken)


def _json(text: str | None) -> Any:
    return orjson.loads(text) if text else None


async def refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(error.status, {"code": error.code})


async def limited(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    body = {"code": error.code, "detail": error.detail}
    return Response(orjson.dumps(body), error.problem.status, error.headers, "application/json")


async def invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValueError)
    if isinstance(error, ValidationError):
        return answer(422, error.json(include_input=False, include_url=False).encode())
    return answer(400, {"code": "malformed-request"})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    settings = PlainSettings.load()
    async with (
        asyncpg.create_pool(
            settings.dsn,
            min_size=settings.pool,
            max_size=settings.pool,
            reset=store.no_reset,
        ) as pool,
        open_redis(settings) as redis,
    ):
        app.state.parts = Parts(
            settings,
            pool,
            SharedTrips(redis),
            open_limits(settings, redis),
            Symbols(redis),
            TokenChecker(settings.public_key),
            TokenSigner(settings.private_key),
            Passwords(),
            {},
        )
        yield


app = Starlette(
    routes=[
        Route("/api/v1/watchlist/{symbol}", put_item, methods=["PUT"]),
        Route("/api/v1/watchlist", get_watchlist),
        Route("/api/v1/users/me", me),
        Route("/api/v1/quotes/{symbol}", quote),
        Route("/api/v1/auth/signup", sign_up, methods=["POST"]),
        Route("/api/v1/auth/signin", sign_in, methods=["POST"]),
        Route("/api/v1/auth/refresh", refresh, methods=["POST"]),
    ],
    exception_handlers={Refused: refused, ProblemError: limited, ValueError: invalid},
    lifespan=lifespan,
)
