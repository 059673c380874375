"""The ASGI application: request ids, draining, dispatch, problems, headers, metrics."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from prometheus_client import Histogram
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.auth.authentication import Authenticator
from gateway.auth.password_strength import Strength
from gateway.auth.revocation import Revocations
from gateway.commands.publisher import CommandPublisher
from gateway.commands.seals import Seals
from gateway.http.body import read_json, read_query, validated
from gateway.http.cors import Cors
from gateway.http.documents import Documents
from gateway.http.endpoints import Answer, Call, Endpoint, Streamed
from gateway.http.problems import ProblemError
from gateway.http.public_port import correlation_id_of, request_id_of
from gateway.http.request import Request
from gateway.http.response import ResponseWriter, security_headers
from gateway.http.routing import Dispatch, endpoint_for
from gateway.quotes.lookup import Quotes
from gateway.quotes.search import Searches
from gateway.rate_limit.limiter import SLOWED_SECONDS, Caller, Limits
from gateway.rate_limit.policies import FAULTY
from gateway.settings import GatewaySettings
from gateway.stream.streams import Streams
from gateway.stream.tickets import Tickets
from gateway.v1.models import WithAddress
from infra.observability.trace_context import child_of
from infra.postgres.pool import UNAVAILABLE
from infra.postgres.reads import Readable
from infra.runtime.lifecycle import GracefulShutdownHandler
from infra.security.address_hmac import address_hash
from infra.security.client_cipher import Client

log = structlog.get_logger(__name__)

SECONDS = Histogram(
    "qnt9_http_request_seconds",
    "Time to answer a request",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SLOW_SECONDS = 1.0
LINGER_SECONDS = 1.0
_OF_OPERATIONS = ("/health/",)
_SAFE = ("GET", "HEAD", "OPTIONS")


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
    """One declared endpoint for each method of each path, and the plain routes of operations."""

    def __init__(
        self, deps: GatewayDeps, endpoints: Iterable[Endpoint], operations: Iterable[Route]
    ) -> None:
        self._deps = deps
        self._dispatch = Dispatch(endpoints, operations)
        self._cors = Cors(deps.settings.cors_origins)
        self.security = security_headers(https=deps.settings.environment != "development")
        self._samples: dict[tuple[str, str, int], Histogram] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        started = time.perf_counter()
        request = Request.of(scope, receive)
        request_id = request_id_of(request.headers.get("x-request-id"))
        correlation_id = correlation_id_of(request_id, self._deps.settings.gateway_key)
        response = ResponseWriter(
            send,
            request_id,
            correlation_id,
            self._deps.shutdown.draining,
            security=self.security,
            cors=self._cors.headers(request),
        )
        self._in_flight += 1
        self._idle.clear()
        # The server runs each request in a task, so in a context, of its own.
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        try:
            await self._answer(request, scope, response)
        except ProblemError as error:
            await response.problem(error)
        except UNAVAILABLE as error:
            log.warning("reads_unavailable", error=type(error).__name__)
            await response.problem(ProblemError("reads-unavailable"))
        except asyncio.CancelledError:
            log.warning("request_cancelled", path=response.route, method=request.method)
            await response.problem(ProblemError(self._when_cancelled(request)))
        except Exception:
            log.exception("request_failed", path=response.route, method=request.method)
            await response.problem(ProblemError("internal-error"))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        self._observe(request.method, response, time.perf_counter() - started)

    def _when_cancelled(self, request: Request) -> str:
        """The problem of a request whose handler was cancelled, by the server or astray."""
        if request.method not in _SAFE:
            return "indeterminate"
        return "draining" if self._deps.shutdown.draining.is_set() else "try-again"

    async def drained(self, most: float) -> None:
        """Keep answering (503 to what is new) until nothing is in flight, at least a moment."""
        await asyncio.sleep(LINGER_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._idle.wait()

    async def _answer(self, request: Request, scope: Scope, response: ResponseWriter) -> None:
        operation = self._dispatch.operation(request.method, request.path)
        if operation:
            response.route = request.path
            await operation.handle(scope, request.receive, response.send)
            return
        if self._deps.shutdown.draining.is_set():
            raise ProblemError("draining")
        response.route, methods, request.params = self._dispatch.path_of(
            request.path, scope.get("raw_path", b"")
        )
        if preflight := self._cors.preflight(request, methods):
            await response.answer(preflight)
            return
        endpoint = endpoint_for(request.method, methods)
        _check_fields(request)
        answer = await self._limited(endpoint, request, response)
        if isinstance(answer, Streamed):
            await response.stream(answer, request)
        else:
            await response.answer(answer)

    async def _limited(
        self, endpoint: Endpoint, request: Request, response: ResponseWriter
    ) -> Answer | Streamed:
        """One trip to the cache server, whatever becomes of the request."""
        limits, client = self._deps.limits, self._deps.authenticator.client(request)
        if not endpoint.limits:
            return await endpoint.handler(await self._call(endpoint, request, response, client))
        limits.refuse_early((*endpoint.limits, *FAULTY), client.ip)
        try:
            call = await self._call(endpoint, request, response, client)
        except ProblemError:
            response.limits = (await limits.take(FAULTY, Caller(client.ip))).headers
            raise
        taken = await limits.take(endpoint.limits, self._caller(call))
        response.limits = taken.headers
        if taken.slowed:
            await asyncio.sleep(SLOWED_SECONDS)
        try:
            answer = await endpoint.handler(call)
        except ProblemError as error:
            if error.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                await limits.not_tried(taken)
            raise
        if isinstance(answer, Answer) and not answer.pending:
            await limits.succeeded(taken)
        return answer

    def _caller(self, call: Call) -> Caller:
        if call.user:
            user = call.user
            return Caller(call.client.ip, user.user_id.hex, user.session_id.hex, user.tier)
        if isinstance(call.payload, WithAddress):
            key = self._deps.settings.address_key
            return Caller(call.client.ip, address_hash(key, call.payload.email))
        return Caller(call.client.ip)

    async def _call(
        self, endpoint: Endpoint, request: Request, response: ResponseWriter, client: Client
    ) -> Call:
        user = await self._deps.authenticator.authenticate(
            request, endpoint.access, by_ticket=endpoint.by_ticket
        )
        raw, payload = None, None
        if endpoint.body is not None:
            empty: Any = {} if endpoint.body_optional else None
            raw = await read_json(request, self._deps.settings.body_bytes_most, empty=empty)
            payload = validated(endpoint.body, raw)
        queried = None
        if endpoint.query is not None:
            queried = validated(endpoint.query, read_query(request.query))
        return Call(
            deps=self._deps,
            endpoint=endpoint,
            request=request,
            correlation_id=response.correlation_id,
            traceparent=child_of(request.headers.get("traceparent")),
            client=client,
            user=user,
            payload=payload,
            raw_payload=raw,
            queried=queried,
        )

    def _observe(self, method: str, response: ResponseWriter, seconds: float) -> None:
        labels = (method, response.route, response.status)
        sample = self._samples.get(labels)
        if sample is None:
            sample = self._samples[labels] = SECONDS.labels(*labels)
        sample.observe(seconds)
        if response.status < 400 and seconds < SLOW_SECONDS:
            return
        if not response.route.startswith(_OF_OPERATIONS):
            log.info(
                "request_answered",
                method=method,
                route=response.route,
                status=response.status,
                ms=round(seconds * 1000, 1),
            )


def _check_fields(request: Request) -> None:
    """Raises `ProblemError` for fields that change what is asked and cannot be obeyed."""
    if request.repeated:
        raise ProblemError("malformed-request", f"There must be one {request.repeated} field.")
    headers, is_safe = request.headers, request.method in _SAFE
    if_match = headers.get("if-match")
    # Nothing here has an entity tag, so what asks for one is false (RFC 9110, 13.1).
    if (if_match is not None and not (is_safe and if_match.strip(" \t") == "*")) or (
        not is_safe and headers.get("if-none-match", "").strip(" \t") == "*"
    ):
        raise ProblemError("precondition-failed")
