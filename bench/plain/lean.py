"""The leanest service: Starlette, one prepared statement a request, checked tokens remembered."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.plain import lean_store as store
from bench.plain.common import (
    Account,
    Symbols,
    new_token,
    open_redis,
    send_verification,
    token_pair,
)
from bench.plain.settings import PlainSettings
from bench.plain.trips import SharedTrips
from contracts.quotes import cache_key
from contracts.values import WATCHLIST_LIMITS, Tier
from gateway.v1.models import NoteBody, SignInBody, SignUpBody
from infra.passwords import Passwords
from infra.postgres.pool import Pool
from infra.tokens import Principal, TokenChecker, TokenError, TokenSigner

REMEMBERED = 20_000
LONGEST_NOTE = 280
_PLAIN = re.compile(r"[ -;=?-~]*")
_SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.\-=^]{0,19}")


class Refused(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Parts:
    settings: PlainSettings
    pool: Pool
    trips: SharedTrips
    symbols: Symbols
    checker: TokenChecker
    signer: TokenSigner
    passwords: Passwords
    checked: dict[str, Principal]


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def answer(status: int, body: Any, background: BackgroundTask | None = None) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, media_type="application/json", background=background)


def caller_of(request: Request, parts: Parts, *, verified: bool = True) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    principal = parts.checked.get(token)
    if principal is None:
        if scheme.lower() != "bearer":
            raise Refused(401, "unauthenticated")
        try:
            principal = parts.checker.check(token)
        except TokenError as error:
            raise Refused(401, "unauthenticated") from error
        parts.checked[token] = principal
        if len(parts.checked) > REMEMBERED:
            del parts.checked[next(iter(parts.checked))]
    if principal.expires_at <= time.time():
        raise Refused(401, "unauthenticated")
    if verified and not principal.verified:
        raise Refused(403, "email-not-verified")
    return principal


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


def client_of(request: Request) -> store.Client:
    ip = request.client.host if request.client else None
    return store.Client(ip, request.headers.get("user-agent"))


async def put_item(request: Request) -> Response:
    parts = parts_of(request)
    caller, symbol = caller_of(request, parts), symbol_of(request)
    note = note_of(await request.body())
    if not await parts.symbols.exists(symbol):
        raise Refused(404, "unknown-symbol")
    details = orjson.dumps({"symbol": symbol, "note": note})
    item = store.Item(caller.user_id, symbol, note, details.decode())
    created = await store.save_item(parts.pool, item, client_of(request))
    if created is None:
        raise Refused(409, "watchlist-full")
    return answer(201 if created else 200, details)


async def get_watchlist(request: Request) -> Response:
    parts = parts_of(request)
    caller = caller_of(request, parts)
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
    return answer(200, {"items": items, "limit": WATCHLIST_LIMITS[Tier(caller.tier)]})


async def me(request: Request) -> Response:
    parts = parts_of(request)
    caller = caller_of(request, parts, verified=False)
    row = await store.profile(parts.pool, caller.user_id)
    if row is None:
        raise Refused(401, "unauthenticated")
    return answer(200, dict(row))


async def quote(request: Request) -> Response:
    parts = parts_of(request)
    caller_of(request, parts)
    symbol = symbol_of(request)
    value = await parts.trips.one(cache_key(symbol))
    if value:
        cached = orjson.loads(value)
        if cached["quote"] and datetime.fromisoformat(cached["fresh_until"]) > datetime.now(UTC):
            return answer(200, cached["quote"])
    last = await store.last_quote(parts.pool, symbol)
    if last is None:
        raise Refused(404, "unknown-symbol")
    return answer(200, last.encode())


async def sign_up(request: Request) -> Response:
    parts = parts_of(request)
    body = SignUpBody.model_validate_json(await request.body())
    async with parts.passwords.turn() as turn:
        password_hash = await turn.hash(body.password)
    token = new_token()
    new = store.NewUser(uuid4(), body.email, body.display_name, password_hash, token)
    made = await store.insert_user(parts.pool, new, client_of(request))
    mail = BackgroundTask(_mail, parts, body.email, token) if made else None
    return answer(202, {"status": "accepted"}, mail)


async def _mail(parts: Parts, email: str, token: str) -> None:
    await send_verification(parts.settings, email, token)
    await store.mark_mailed(parts.pool, token)


async def sign_in(request: Request) -> Response:
    parts = parts_of(request)
    body = SignInBody.model_validate_json(await request.body())
    row = await store.account(parts.pool, body.email)
    async with parts.passwords.turn() as turn:
        matches = await turn.matches(body.password, row["password_hash"] if row else None)
    if row is None or not matches:
        user_id = row["id"] if row else None
        await store.log(parts.pool, user_id, "user.signin_failed", client_of(request))
        raise Refused(401, "invalid-credentials")
    account = Account(row["id"], row["tier"], row["verified"], row["permissions"], row["version"])
    session_id, refresh_token = uuid4(), new_token()
    session = store.Session(session_id, account.id, refresh_token)
    await store.insert_session(parts.pool, session, client_of(request))
    return answer(200, token_pair(parts.signer, account, session_id, refresh_token))


def _json(text: str | None) -> Any:
    return orjson.loads(text) if text else None


async def refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(error.status, {"code": error.code})


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
    ],
    exception_handlers={Refused: refused, ValueError: invalid},
    lifespan=lifespan,
)
