"""The usual service: FastAPI, asyncpg, pydantic models, dependencies, a transaction a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from bench.plain import usual_store as store
from bench.plain.common import (
    Account,
    Symbols,
    first_refresh_token,
    new_token,
    open_redis,
    send_verification,
    token_pair,
)
from bench.plain.limits import caller as counted
from bench.plain.limits import open_limits
from bench.plain.rotation import ACTIONS, CODES, FRESH, GOOD, INVALID, REUSED, Rotation, judgement
from bench.plain.settings import PlainSettings
from bench.plain.usual_parts import (
    ClientOf,
    PoolOf,
    RedisOf,
    SignedIn,
    Verified,
    limited,
    take,
)
from contracts.quotes import CachedQuote, Quote, cache_key
from contracts.values import WATCHLIST_LIMITS, Symbol, Tier
from gateway.problems import ProblemError
from gateway.rate_limit.policies import QUOTE, READ, REFRESH, SIGN_IN, SIGN_UP, WRITE
from gateway.v1.models import (
    Accepted,
    ItemSaved,
    NoteBody,
    Profile,
    RefreshBody,
    SignInBody,
    SignUpBody,
    Tokens,
    Watchlist,
    WatchlistItem,
)
from infra.postgres.pool import Pool
from infra.security.access_tokens import TokenChecker, TokenSigner
from infra.security.password_hashing import Passwords


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = PlainSettings.load()
    state = app.state
    state.settings = settings
    state.checker = TokenChecker(settings.public_key)
    state.signer = TokenSigner(settings.private_key)
    state.passwords = Passwords()
    async with (
        asyncpg.create_pool(
            settings.dsn, min_size=settings.pool, max_size=settings.pool, init=store.prepare
        ) as pool,
        open_redis(settings) as redis,
    ):
        state.pool, state.redis, state.symbols = pool, redis, Symbols(redis)
        state.limits = open_limits(settings, redis)
        yield


router = APIRouter(prefix="/api/v1")


@router.put("/watchlist/{symbol}", dependencies=[limited(WRITE)])
async def put_item(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    response: Response,
    symbol: Symbol,
    body: NoteBody,
    caller: Verified,
    client: ClientOf,
    pool: PoolOf,
) -> ItemSaved:
    if not await request.app.state.symbols.exists(symbol):
        raise HTTPException(404, "unknown-symbol")
    async with pool.acquire() as conn, conn.transaction():
        tier = await store.lock_tier(conn, caller.user_id)
        if tier is None:
            raise HTTPException(401, "unauthenticated")
        limit = WATCHLIST_LIMITS[Tier(tier)]
        created = await store.save_item(conn, caller.user_id, symbol, body.note, limit)
        if created is None:
            raise HTTPException(409, "watchlist-full")
        details = {"symbol": symbol, "note": body.note}
        await store.log(conn, caller.user_id, "watchlist.item_added", details, client)
    response.status_code = 201 if created else 200
    return ItemSaved(symbol=symbol, note=body.note)


@router.get("/watchlist", dependencies=[limited(READ)])
async def get_watchlist(caller: Verified, pool: PoolOf, redis: RedisOf) -> Watchlist:
    rows = await store.items(pool, caller.user_id)
    quotes: dict[str, Quote | None] = {}
    if rows:
        values = await redis.mget([cache_key(row["symbol"]) for row in rows])
        for row, value in zip(rows, values, strict=True):
            quotes[row["symbol"]] = (
                CachedQuote.model_validate_json(value).quote if value else row["quote"]
            )
    return Watchlist(
        items=[
            WatchlistItem(
                position=position,
                symbol=row["symbol"],
                note=row["note"],
                added_at=row["added_at"],
                quote=quotes[row["symbol"]],
            )
            for position, row in enumerate(rows)
        ],
        limit=WATCHLIST_LIMITS[Tier(caller.tier)],
    )


@router.get("/users/me", dependencies=[limited(READ)])
async def me(caller: SignedIn, pool: PoolOf) -> Profile:
    row = await store.profile(pool, caller.user_id)
    if row is None:
        raise HTTPException(401, "unauthenticated")
    return Profile(**row)


@router.get("/quotes/{symbol}", dependencies=[limited(QUOTE)])
async def quote(symbol: Symbol, _: Verified, redis: RedisOf, pool: PoolOf) -> Quote:
    value = await redis.get(cache_key(symbol))
    if value:
        cached = CachedQuote.model_validate_json(value)
        if cached.quote and cached.fresh_until > datetime.now(UTC):
            return cached.quote
    last: dict[str, Any] | None = await store.last_quote(pool, symbol)
    if last is None:
        raise HTTPException(404, "unknown-symbol")
    return Quote.model_validate(last)


@router.post("/auth/signup", status_code=202)
async def sign_up(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    response: Response,
    body: SignUpBody,
    client: ClientOf,
    pool: PoolOf,
    later: BackgroundTasks,
) -> Accepted:
    await take(request, response, SIGN_UP, counted(request, body.email))
    async with request.app.state.passwords.slot() as slot:
        password_hash = await slot.hash(body.password)
    user_id, token = uuid4(), new_token()
    async with pool.acquire() as conn, conn.transaction():
        if await store.is_taken(conn, body.email):
            return Accepted(status="accepted")
        await store.insert_user(conn, user_id, body.email, body.display_name, password_hash)
        await store.insert_mailed_token(conn, user_id, token)
        await store.log(conn, user_id, "user.signup", {}, client)
    later.add_task(_mail, request.app.state.settings, pool, body.email, token)
    return Accepted(status="accepted")


async def _mail(settings: PlainSettings, pool: Pool, email: str, token: str) -> None:
    await send_verification(settings, email, token)
    await store.mark_mailed(pool, token)


@router.post("/auth/signin")
async def sign_in(
    request: Request, response: Response, body: SignInBody, client: ClientOf, pool: PoolOf
) -> Tokens:
    taken = await take(request, response, SIGN_IN, counted(request, body.email))
    row = await store.account(pool, body.email)
    async with request.app.state.passwords.slot() as slot:
        matches = await slot.matches(body.password, row["password_hash"] if row else None)
    if row is None or not matches:
        user_id = row["id"] if row else None
        async with pool.acquire() as conn:
            await store.log(conn, user_id, "user.signin_failed", {}, client)
        raise HTTPException(401, "invalid-credentials")
    account = Account(row["id"], row["tier"], row["verified"], row["permissions"], row["version"])
    session_id = uuid4()
    refresh_token = first_refresh_token(session_id)
    async with pool.acquire() as conn, conn.transaction():
        await store.insert_session(conn, session_id, account.id, refresh_token)
        await store.log(conn, account.id, "user.signin", {}, client)
    await request.app.state.limits.succeeded(taken)
    return Tokens(**token_pair(request.app.state.signer, account, session_id, refresh_token))


@router.post("/auth/refresh")
async def refresh(
    request: Request, response: Response, body: RefreshBody, client: ClientOf, pool: PoolOf
) -> Tokens:
    await take(request, response, REFRESH, counted(request))
    state = request.app.state
    rotation = Rotation.of(body.refresh_token, state.settings.refresh_key)
    if rotation is None:
        raise HTTPException(401, CODES[INVALID])
    async with pool.acquire() as conn, conn.transaction():
        row = await store.lock_token(conn, rotation)
        spent = row is not None and row["spent_ago"] is not None
        used = spent and await store.is_used(conn, rotation.follows)
        evaluated = evaluate(row, successor_used=used)
        if row and evaluated == FRESH:
            await store.rotate(conn, rotation)
        if row and evaluated == REUSED:
            await store.end_session(conn, rotation.session_id)
        if row and evaluated in ACTIONS:
            details = {"session_id": str(rotation.session_id)}
            await store.log(conn, row["id"], ACTIONS[evaluated], details, client)
    if row is None or evaluated not in GOOD:
        raise HTTPException(401, CODES[evaluated])
    account = Account(row["id"], row["tier"], row["verified"], row["permissions"], row["version"])
    return Tokens(**token_pair(state.signer, account, rotation.session_id, rotation.successor))


def evaluate(row: "asyncpg.Record | None", *, successor_used: bool) -> str:
    if row is None:
        return INVALID
    return judgement(
        ended=row["ended"],
        expired=row["expired"],
        spent_ago=row["spent_ago"],
        successor_used=successor_used,
    )


async def refused(_: Request, error: ProblemError) -> JSONResponse:
    body = {"code": error.code, "detail": error.detail}
    return JSONResponse(body, error.problem.status, error.headers)


app = FastAPI(lifespan=lifespan)
app.include_router(router)
app.exception_handler(ProblemError)(refused)
