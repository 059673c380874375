"""The ASGI application: request ids, draining, dispatch, problems, headers, metrics."""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from prometheus_client import Histogram
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from contracts.ids import uuid7
from gateway.bodies import read_json, validated
from gateway.callers import Callers
from gateway.commands import Commands
from gateway.dispatch import Dispatch, endpoint_for
from gateway.documents import Documents
from gateway.endpoints import Answer, Call, Endpoint
from gateway.incoming import Incoming
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
_OF_OPERATIONS = ("/health/", "/metrics")
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
        self._dispatch = Dispatch(endpoints, operations)
        self._samples: dict[tuple[str, str, int], Histogram] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        started = time.perf_counter()
        request = Incoming.of(scope, receive)
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.match(given) else str(uuid7())
        exchange = _Exchange(send, request_id, self._edge.shutdown.draining)
        self._in_flight += 1
        self._idle.clear()
        # The server runs each request in a task, so in a context, of its own.
        structlog.contextvars.bind_contextvars(correlation_id=request_id)
        try:
            await self._answer(request, scope, exchange)
        except ProblemError as error:
            await exchange.problem(error)
        except UNAVAILABLE as error:
            log.warning("reads_unavailable", error=type(error).__name__)
            await exchange.problem(ProblemError("reads-unavailable"))
        except Exception:
            log.exception("request_failed", path=request.path, method=request.method)
            await exchange.problem(ProblemError("internal-error"))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        self._observe(request.method, exchange, time.perf_counter() - started)

    async def drained(self, most: float) -> None:
        """Keep answering (503 to what is new) until nothing is in flight, at least a moment."""
        await asyncio.sleep(LINGER_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._idle.wait()

    async def _answer(self, request: Incoming, scope: Scope, exchange: "_Exchange") -> None:
        operation = self._dispatch.operation(request.method, request.path)
        if operation:
            exchange.route = request.path
            await operation.handle(scope, request.receive, exchange.send)
            return
        if self._edge.shutdown.draining.is_set():
            raise ProblemError("draining")
        exchange.route, methods, request.params = self._dispatch.path_of(request.path)
        endpoint = endpoint_for(request.method, methods)
        call = await self._call(endpoint, request, exchange.request_id)
        await exchange.answer(await endpoint.handler(call))

    async def _call(self, endpoint: Endpoint, request: Incoming, request_id: str) -> Call:
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
            request_id=request_id,
            traceparent=child_of(request.headers.get("traceparent")),
            client=self._edge.callers.client(request),
            user=user,
            payload=payload,
            raw_payload=raw,
        )

    def _observe(self, method: str, exchange: "_Exchange", seconds: float) -> None:
        labels = (method, exchange.route, exchange.status)
        sample = self._samples.get(labels)
        if sample is None:
            sample = self._samples[labels] = SECONDS.labels(*labels)
        sample.observe(seconds)
        if exchange.status < 400 and seconds < SLOW_SECONDS:
            return
        if not exchange.route.startswith(_OF_OPERATIONS):
            log.info(
                "request_answered",
                method=method,
                route=exchange.route,
                status=exchange.status,
                ms=round(seconds * 1000, 1),
            )


class _Exchange:
    """The sending half of one request: adds what every response carries, once."""

    def __init__(self, send: Send, request_id: str, draining: asyncio.Event) -> None:
        self._send = send
        self._draining = draining
        self.request_id = request_id
        self.route = "unknown"
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            present = {name for name, _ in headers}
            headers.append((b"x-request-id", self.request_id.encode()))
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
        body = error.body(self.request_id)
        await self.answer(Answer(error.problem.status, body, tuple(headers), PROBLEM_JSON))
