"""What happens to every request around its route, as ASGI middleware, the outermost first."""

import asyncio
import time
from collections.abc import Mapping

import structlog
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.cors import Cors
from gateway.http.public_port import correlation_id_of, request_id_of
from gateway.http.request import GatewayRequest
from gateway.http.response import Headers, problem_response
from gateway.problems import ProblemError
from infra.observability.tracing import TRACING
from infra.postgres.pool import UNAVAILABLE

log = structlog.get_logger(__name__)

SECONDS = Histogram(
    "qnt9_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SLOW_SECONDS = 1.0
SAFE = ("GET", "HEAD", "OPTIONS")
_OPERATIONS = ("/health/",)
_OF_STATUS = {404: "not-found", 405: "method-not-allowed"}
"""The problems of Starlette's router."""


class RequestMiddleware:
    """Identifies, times and logs each request."""

    def __init__(self, app: ASGIApp, *, gateway_key: bytes) -> None:
        self._app = app
        self._gateway_key = gateway_key
        self._samples: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = GatewayRequest(scope, receive)
        request.request_id = request_id_of(request.headers.get("x-request-id"))
        request.correlation_id = correlation_id_of(request.request_id, self._gateway_key)
        # The server runs each request in a task, so in a context, of its own.
        structlog.contextvars.bind_contextvars(correlation_id=request.correlation_id)
        await self._app(scope, receive, send)
        self._observe(request, time.perf_counter() - started)

    def _observe(self, request: GatewayRequest, seconds: float) -> None:
        route = request.route
        TRACING.describe(
            f"{request.method} {route}",
            {"http.route": route, "http.response.status_code": request.status},
        )
        labels = (request.method, route, request.status)
        sample = self._samples.get(labels)
        if sample is None:
            sample = self._samples[labels] = SECONDS.labels(*labels)
        sample.observe(seconds)
        if request.status < 400 and seconds < SLOW_SECONDS:
            return
        if not route.startswith(_OPERATIONS):
            log.info(
                "request_answered",
                method=request.method,
                route=route,
                status=request.status,
                ms=round(seconds * 1000, 1),
            )


class HeadersMiddleware:
    """Adds what every response carries: its id, limits, security and CORS."""

    def __init__(
        self, app: ASGIApp, *, security: Headers, cors: Cors, draining: asyncio.Event
    ) -> None:
        self._app = app
        self._security = security
        self._cors = cors
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = GatewayRequest.of(scope)

        async def begin(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = self._completed(message.get("headers", ()), request)
            await send(message)

        await self._app(scope, receive, begin)

    def _completed(self, given: Headers, request: GatewayRequest) -> Headers:
        present = {name for name, _ in given}
        headers = [*given, (b"x-request-id", request.request_id.encode())]
        headers += [header for header in self._security if header[0] not in present]
        headers += self._cors.headers(request)
        headers += [(name.lower().encode(), value.encode()) for name, value in request.limits]
        if self._draining.is_set():
            headers.append((b"connection", b"close"))
        return headers


class ProblemMiddleware:
    """Answers with a problem document whatever a route raises, and everything while draining."""

    def __init__(self, app: ASGIApp, *, draining: asyncio.Event) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = GatewayRequest.of(scope)
        problem: ProblemError | None = None
        try:
            self._refuse_while_draining(request)
            await self._app(scope, receive, send)
        except ProblemError as error:
            problem = error
        except HTTPException as error:  # of Starlette's router
            problem = ProblemError(_OF_STATUS[error.status_code], headers=_sorted(error.headers))
        except UNAVAILABLE as error:
            log.warning("reads_unavailable", error=type(error).__name__)
            problem = ProblemError("reads-unavailable")
        except asyncio.CancelledError:
            log.warning("request_cancelled", path=request.route, method=request.method)
            problem = ProblemError(self._when_cancelled(request.method))
        except Exception:
            log.exception("request_failed", path=request.route, method=request.method)
            problem = ProblemError("internal-error")
        # Once a response has begun, the server closes the connection instead.
        if problem and not request.status:
            await problem_response(problem, request.request_id)(scope, receive, send)

    def _refuse_while_draining(self, request: GatewayRequest) -> None:
        if self._draining.is_set() and not request.path.startswith(_OPERATIONS):
            raise ProblemError("draining")

    def _when_cancelled(self, method: str) -> str:
        """The problem of a request whose handler was cancelled, by the server or astray."""
        if method not in SAFE:
            return "indeterminate"
        return "draining" if self._draining.is_set() else "try-again"


def _sorted(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Lists of methods in one order: Starlette keeps them in a set."""
    return {name: ", ".join(sorted(v.split(", "))) for name, v in (headers or {}).items()}
