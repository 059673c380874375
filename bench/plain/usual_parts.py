"""The usual service's dependencies: who asks, whether they may, and what the routes work with."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from redis.asyncio import Redis

from bench.plain.limits import caller as counted
from gateway.rate_limit.limiter import Caller, Limits, Policies, Taken
from infra.postgres.pool import Pool
from infra.security.access_tokens import Principal, TokenChecker, TokenError


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, for the audit log."""

    ip: str | None
    agent: str | None


async def pool_of(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


async def redis_of(request: Request) -> Redis:
    redis: Redis = request.app.state.redis
    return redis


async def client_of(request: Request) -> Client:
    ip = request.client.host if request.client else None
    return Client(ip, request.headers.get("user-agent"))


async def signed_in(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> Principal:
    checker: TokenChecker = request.app.state.checker
    try:
        return checker.check(given.credentials)
    except TokenError as error:
        raise HTTPException(401, "unauthenticated") from error


async def verified(principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
    if not principal.verified:
        raise HTTPException(403, "email-not-verified")
    return principal


async def take(request: Request, response: Response, policies: Policies, who: Caller) -> Taken:
    """Count the request, and tell what is left."""
    limits: Limits = request.app.state.limits
    taken = await limits.take(policies, who)
    response.headers.update(dict(taken.headers))
    return taken


def limited(policies: Policies) -> Any:
    """For routes of signed-in users."""

    async def count(
        request: Request,
        response: Response,
        caller: Annotated[Principal, Depends(signed_in)],
    ) -> None:
        await take(request, response, policies, counted(request, caller))

    return Depends(count)


PoolOf = Annotated[Pool, Depends(pool_of)]
RedisOf = Annotated[Redis, Depends(redis_of)]
ClientOf = Annotated[Client, Depends(client_of)]
SignedIn = Annotated[Principal, Depends(signed_in)]
Verified = Annotated[Principal, Depends(verified)]
