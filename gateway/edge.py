"""The ASGI application: request ids, draining, dispatch, problems, headers, metrics."""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import structlog
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from gateway.bodies import read_json, validated
from gateway.callers import Callers
from gateway.commands import Commands
from gateway.documents import Documents
from gateway.endpoints import Answer, Call, Endpoint
from gateway.problems import PROBLEM_JSON, ProblemError
from gateway.quotes import Quotes
from gateway.seals import Seals
from gateway.settings import GatewaySettings
from infra.lifecycle import GracefulShutdownHandler
from infra.postgres.pool import UNAVAILABLE, Pool
from infra.telemetry import child_of

log = structlog.get_logger(__name__)

SECONDS = Histogram(
    "qnt9_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SLOW_SECONDS = 1.0
LINGER_SECONDS = 1.0
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:\-]{1,128}$")
_ALWAYS_ANSWERED = ("/health/", "/metrics")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_CSP = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


@dataclass
class Edge:
    """What handlers reach through their call."""

    settings: GatewaySettings
    shutdown: GracefulShutdownHandler
    callers: Callers
    commands: Commands
    quotes: Quotes
    seals: Seals
    pool: Pool
    documents: Documents


class Application:
    """One declared endpoint for each method of each path, and the plain routes of operations."""

    def __init__(
        self, edge: Edge, endpoints: Iterable[Endpoint], operations: Iterable[Route]
    ) -> None:
        self._edge = edge
        self._methods: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            self._methods.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        self._paths = [Route(path, _nothing) for path in self._methods]
        self._operations = list(operations)
        self._in_flight = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        started = time.perf_counter()
        given = _header(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.match(given) else str(uuid4())
        scope["qnt9.request_id"] = request_id
        exchange = _Exchange(send, request_id, self._edge.shutdown.draining)
        self._in_flight += 1
        self._idle.clear()
        with structlog.contextvars.bound_contextvars(correlation_id=request_id):
            try:
                await self._answer(scope, receive, exchange)
            except ProblemError as error:
                await exchange.problem(error)
            except UNAVAILABLE as error:
                log.warning("reads_unavailable", error=type(error).__name__)
                await exchange.problem(ProblemError("reads-unavailable"))
            except Exception:
                log.exception("request_failed", path=scope["path"], method=scope["method"])
                await exchange.problem(ProblemError("internal-error"))
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()
            self._observe(scope, exchange.status, time.perf_counter() - started)

    async def drained(self, most: float) -> None:
        """Keep answering (503 to what is new) until nothing is in flight, at least a moment."""
        await asyncio.sleep(LINGER_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._idle.wait()

    async def _answer(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        path: str = scope["path"]
        draining = self._edge.shutdown.draining.is_set()
        if draining and not path.startswith(_ALWAYS_ANSWERED):
            raise ProblemError("draining")
        for operation in self._operations:
            match, child = operation.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                scope["qnt9.route"] = operation.path
                await operation.handle(scope, receive, exchange.send)
                return
        endpoint = self._find(scope)
        request = Request(scope, receive)
        call = await self._call(endpoint, request)
        answer = await endpoint.handler(call)
        await exchange.answer(answer)

    def _find(self, scope: Scope) -> Endpoint:
        for route in self._paths:
            match, child = route.matches({**scope, "method": "GET"})
            if match is Match.NONE:
                continue
            scope.update(child)
            scope["qnt9.route"] = route.path
            methods = self._methods[route.path]
            if scope["method"] in methods:
                return methods[scope["method"]]
            allowed = ", ".join(sorted(methods))
            raise ProblemError("method-not-allowed", headers={"Allow": allowed})
        raise ProblemError("not-found")

    async def _call(self, endpoint: Endpoint, request: Request) -> Call:
        user = await self._edge.callers.authenticate(request, endpoint.who)
        raw, payload = None, None
        if endpoint.body is not None:
            raw = await read_json(request, self._edge.settings.body_bytes_most)
            if raw is None and endpoint.body_optional:
                raw = {}
            payload = validated(endpoint.body, raw)
        return Call(
            edge=self._edge,
            endpoint=endpoint,
            request=request,
            request_id=request.scope["qnt9.request_id"],
            traceparent=child_of(request.headers.get("traceparent")),
            client=self._edge.callers.client(request),
            user=user,
            payload=payload,
            raw_payload=raw,
        )

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("qnt9.route", "unknown")
        SECONDS.labels(scope["method"], route, status).observe(seconds)
        level = log.info if status >= 400 or seconds >= SLOW_SECONDS else log.debug
        if not route.startswith(_ALWAYS_ANSWERED):
            milliseconds = round(seconds * 1000, 1)
            level(
                "request_answered",
                method=scope["method"],
                route=route,
                status=status,
                ms=milliseconds,
            )


class _Exchange:
    """The sending half of one request: adds what every response carries, once."""

    def __init__(self, send: Send, request_id: str, draining: asyncio.Event) -> None:
        self._send = send
        self._request_id = request_id
        self._draining = draining
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            present = {name for name, _ in headers}
            headers.append((b"x-request-id", self._request_id.encode()))
            headers += [h for h in (*_SECURITY_HEADERS, _CSP) if h[0] not in present]
            if self._draining.is_set():
                headers.append((b"connection", b"close"))
        await self._send(message)

    async def answer(self, answer: Answer) -> None:
        content = answer.content()
        headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in answer.headers]
        if content:
            headers.append((b"content-type", answer.media_type.encode()))
        if answer.status != 204:
            headers.append((b"content-length", str(len(content)).encode()))
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": content})

    async def problem(self, error: ProblemError) -> None:
        if self.status:
            return  # the response has begun; the server closes the connection
        headers = list(error.headers.items())
        if error.problem.retry_after is not None:
            headers.append(("Retry-After", str(error.problem.retry_after)))
        body = error.body(self._request_id)
        await self.answer(Answer(error.problem.status, body, tuple(headers), PROBLEM_JSON))


def _header(scope: Scope, name: bytes) -> str:
    for found, value in scope["headers"]:
        if found == name:
            return str(value.decode("latin-1"))
    return ""


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Routes are used for their matching alone."""
