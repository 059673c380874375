"""The system's own limits in a plain service: the same windows, in the same shared trips."""

import hashlib

from redis.asyncio import Redis
from starlette.requests import Request

from bench.plain.settings import PlainSettings
from gateway.rate_limit.limiter import Caller, Limits
from gateway.rate_limit.policies import SETS
from gateway.rate_limit.shared_windows import SharedWindows
from infra.security.access_tokens import Principal


def open_limits(settings: PlainSettings, redis: Redis) -> Limits:
    """With counts of the service's own: all of its processes have the same database."""
    secret = hashlib.sha256(settings.dsn.encode()).digest()
    return Limits(SharedWindows(redis), SETS["relaxed"], secret)


def caller(request: Request, who: Principal | str | None = None) -> Caller:
    """A signed-in user, the address that somebody gave, or a client alone."""
    ip = request.client.host if request.client else None
    if isinstance(who, Principal):
        return Caller(ip, who.user_id.hex, who.session_id.hex, who.tier)
    return Caller(ip, who)
