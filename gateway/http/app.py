"""The gateway's ASGI application: Starlette's router within the gateway's middleware."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from gateway.auth.authentication import Authenticator
from gateway.auth.password_strength import Strength
from gateway.auth.revocation import Revocations
from gateway.commands.publisher import CommandPublisher
from gateway.commands.seals import Seals
from gateway.http.cors import Cors
from gateway.http.documents import Documents
from gateway.http.endpoints import Endpoint
from gateway.http.middleware import (
    HeadersMiddleware,
    ProblemMiddleware,
    RequestMiddleware,
)
from gateway.http.pipeline import Pipeline
from gateway.http.response import security_headers
from gateway.http.routing import EncodedSlashes, routes_of
from gateway.quotes.lookup import Quotes
from gateway.quotes.search import Searches
from gateway.rate_limit.limiter import Limits
from gateway.settings import GatewaySettings
from gateway.stream.streams import Streams
from gateway.stream.tickets import Tickets
from infra.postgres.reads import Readable
from infra.runtime.lifecycle import GracefulShutdownHandler

LINGER_SECONDS = 1.0


@dataclass
class GatewayDeps:
    """What handlers reach through their call."""

    settings: GatewaySettings
    shutdown: GracefulShutdownHandler
    authenticator: Authenticator
    access: Revocations
    commands: CommandPublisher
    quotes: Quotes
    searches: Searches
    seals: Seals
    pool: Readable
    documents: Documents
    limits: Limits
    streams: Streams
    tickets: Tickets
    strength: Strength


class Application:
    """The declared endpoints, and the routes of operations: health checks."""

    def __init__(
        self, deps: GatewayDeps, endpoints: Iterable[Endpoint], operations: Iterable[Route]
    ) -> None:
        self._in_flight = 0
        self._idle = asyncio.Event()
        self.security = security_headers(https=deps.settings.environment != "development")
        cors, draining = Cors(deps.settings.cors_origins), deps.shutdown.draining
        self._router = Router(
            [*self._routes(deps, endpoints, cors), *operations],
            redirect_slashes=False,
            middleware=[
                Middleware(RequestMiddleware, gateway_key=deps.settings.gateway_key),
                Middleware(HeadersMiddleware, security=self.security, cors=cors, draining=draining),
                Middleware(ProblemMiddleware, draining=draining),
                Middleware(EncodedSlashes),
            ],
        )

    def _routes(
        self, deps: GatewayDeps, endpoints: Iterable[Endpoint], cors: Cors
    ) -> Iterable[BaseRoute]:
        """The routes of all endpoints; `bench/frameworks` has others."""
        return routes_of(endpoints, Pipeline(deps), cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # Starlette's router then raises instead of answering with plain text
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._router(scope, receive, send)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def drained(self, seconds: float) -> None:
        """Keep answering (503 to what is new) until nothing is in flight, at least a moment."""
        await asyncio.sleep(LINGER_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
