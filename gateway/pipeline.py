"""From a request to what its endpoint answers: limit, authentication, body, handler, refund."""

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from gateway.context import RequestContext
from gateway.deps import GatewayDeps
from gateway.http.body import read_json, read_query, validated
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from gateway.http.page_origin import require_page_of
from gateway.http.request import GatewayRequest
from gateway.problems import ProblemError
from gateway.rate_limit.limiter import SLOWED_SECONDS, Caller, Taken
from gateway.rate_limit.policies import FAULTY
from gateway.v1.models import WithAddress
from infra.observability.trace_context import child_of
from infra.observability.tracing import current_traceparent
from infra.security.address_hmac import address_hash
from infra.security.client_cipher import Client


class Pipeline:
    """Runs an endpoint's handler for a request. Raises `ProblemError`."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def run(self, endpoint: Endpoint, request: GatewayRequest) -> Answer | Response:
        """Make at most one trip to the cache server for limits, whatever becomes of the request."""
        client = self._deps.authenticator.client(request)
        if not endpoint.limits:
            return await endpoint.handler(await self._call(endpoint, request, client), self._deps)
        self._deps.limits.refuse_early((*endpoint.limits, *FAULTY), client.ip)
        call = await self._call_or_count_fault(endpoint, request, client)
        taken = await self._take(endpoint, call)
        return await self._handle_or_refund(endpoint, call, taken)

    async def _call_or_count_fault(
        self, endpoint: Endpoint, request: GatewayRequest, client: Client
    ) -> Call:
        """Authenticate and validate; a request that fails counts against its client."""
        try:
            return await self._call(endpoint, request, client)
        except ProblemError:
            request.limits = (await self._deps.limits.take(FAULTY, Caller(client.ip))).headers
            raise

    async def _take(self, endpoint: Endpoint, call: Call) -> Taken:
        """Count the request. Raises `ProblemError` when a limit refuses it."""
        taken = await self._deps.limits.take(endpoint.limits, self._caller(call))
        call.request.limits = taken.headers
        if taken.slowed:
            await asyncio.sleep(SLOWED_SECONDS)
        return taken

    async def _handle_or_refund(
        self, endpoint: Endpoint, call: Call, taken: Taken
    ) -> Answer | Response:
        """Run the handler, and give back what counts only failures, or only what was tried."""
        try:
            answer = await endpoint.handler(call, self._deps)
        except ProblemError as error:
            if error.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._deps.limits.not_tried(taken)
            raise
        if isinstance(answer, Answer) and not answer.pending:
            await self._deps.limits.succeeded(taken)
        return answer

    def _caller(self, call: Call) -> Caller:
        ip, user = call.context.client.ip, call.context.user
        if user:
            return Caller(ip, user.user_id.hex, user.session_id.hex, user.tier)
        if isinstance(call.payload, WithAddress):
            return Caller(ip, address_hash(self._deps.settings.address_key, call.payload.email))
        return Caller(ip)

    async def _call(self, endpoint: Endpoint, request: GatewayRequest, client: Client) -> Call:
        user = await self._deps.authenticator.authenticate(
            request, endpoint.access, by_ticket=endpoint.by_ticket
        )
        if endpoint.for_pages:
            require_page_of(self._deps.settings.page_origins, request.headers)
        body, payload, queried = None, None, None
        if endpoint.body is not None:
            empty: Any = {} if endpoint.body_optional else None
            body = await read_json(request, self._deps.settings.body_bytes_most, empty=empty)
            payload = validated(endpoint.body, body)
        if endpoint.query is not None:
            queried = validated(endpoint.query, read_query(request.query))
        context = RequestContext(
            correlation_id=request.correlation_id,
            traceparent=current_traceparent() or child_of(request.headers.get("traceparent")),
            client=client,
            user=user,
            method=endpoint.method,
            path=request.path,
            idempotency_key=request.headers.get("idempotency-key"),
            prefer=request.headers.get("prefer"),
            body=body,
        )
        return Call(request, context, payload, queried)
