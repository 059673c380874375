"""The gateway's ASGI application: Starlette's router within the gateway's middleware."""

import asyncio
import contextlib
from collections.abc import Iterable

from starlette.middleware import Middleware
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from gateway.deps import GatewayDeps
from gateway.http.cors import Cors
from gateway.http.endpoints import Endpoint
from gateway.http.middleware import (
    HeadersMiddleware,
    ProblemMiddleware,
    RequestMiddleware,
)
from gateway.http.response import security_headers
from gateway.http.routing import EncodedSlashes, routes_of
from gateway.pipeline import Pipeline

LINGER_SECONDS = 1.0


class Application:
    """The declared endpoints, and the routes of operations: health checks."""

    def __init__(
        self, deps: GatewayDeps, endpoints: Iterable[Endpoint], operations: Iterable[Route]
    ) -> None:
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.security = security_headers(https=deps.settings.environment != "development")
        endpoints, draining = tuple(endpoints), deps.shutdown.draining
        with_credentials = {each.path for each in endpoints if each.for_pages}
        cors = Cors(deps.settings.cors_origins, with_credentials)
        self._router = Router(
            [*routes_of(endpoints, Pipeline(deps).run, cors), *operations],
            redirect_slashes=False,
            middleware=[
                Middleware(RequestMiddleware, gateway_key=deps.settings.gateway_key),
                Middleware(HeadersMiddleware, security=self.security, cors=cors, draining=draining),
                Middleware(ProblemMiddleware, draining=draining),
                Middleware(EncodedSlashes),
            ],
        )

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
