"""What every request of the leanest service needs: who asks, whether they may, how to answer."""

import time
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from bench.plain import lean_store as store
from bench.plain.common import Symbols
from bench.plain.settings import PlainSettings
from bench.plain.trips import SharedTrips
from gateway.rate_limit.limiter import Limits, Taken
from infra.postgres.pool import Pool
from infra.security.access_tokens import Principal, TokenChecker, TokenError, TokenSigner
from infra.security.password_hashing import Passwords

REMEMBERED = 20_000


class Refused(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Parts:
    settings: PlainSettings
    pool: Pool
    trips: SharedTrips
    limits: Limits
    symbols: Symbols
    checker: TokenChecker
    signer: TokenSigner
    passwords: Passwords
    checked: dict[str, Principal]


def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def answer(
    status: int, body: Any, taken: Taken | None = None, background: BackgroundTask | None = None
) -> Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = dict(taken.headers) if taken else None
    return Response(content, status, headers, "application/json", background)


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


def client_of(request: Request) -> store.Client:
    ip = request.client.host if request.client else None
    return store.Client(ip, request.headers.get("user-agent"))
