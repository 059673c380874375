"""From a request to what its endpoint answers: limits, authentication, body, handler, refund."""

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.http.body import read_json, read_query, validated
from gateway.http.endpoints import Answer, Call, Endpoint
from gateway.http.problems import ProblemError
from gateway.http.request import GatewayRequest
from gateway.rate_limit.limiter import SLOWED_SECONDS, Caller
from gateway.rate_limit.policies import FAULTY
from gateway.v1.models import WithAddress
from infra.observability.trace_context import child_of
from infra.security.address_hmac import address_hash
from infra.security.client_cipher import Client

if TYPE_CHECKING:
    from gateway.http.app import GatewayDeps


class Pipeline:
    """Runs an endpoint's handler for a request. Raises `ProblemError`."""

    def __init__(self, deps: "GatewayDeps") -> None:
        self._deps = deps

    async def run(self, endpoint: Endpoint, request: GatewayRequest) -> Answer | Response:
        """One trip to the cache server, whatever becomes of the request."""
        client = self._deps.authenticator.client(request)
        if not endpoint.limits:
            return await endpoint.handler(await self._call(endpoint, request, client))
        return await self._limited(endpoint, request, client)

    async def _limited(
        self, endpoint: Endpoint, request: GatewayRequest, client: Client
    ) -> Answer | Response:
        limits = self._deps.limits
        limits.refuse_early((*endpoint.limits, *FAULTY), client.ip)
        try:
            call = await self._call(endpoint, request, client)
        except ProblemError:
            request.limits = (await limits.take(FAULTY, Caller(client.ip))).headers
            raise
        taken = await limits.take(endpoint.limits, self._caller(call))
        request.limits = taken.headers
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

    async def _call(self, endpoint: Endpoint, request: GatewayRequest, client: Client) -> Call:
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
            correlation_id=request.correlation_id,
            traceparent=child_of(request.headers.get("traceparent")),
            client=client,
            user=user,
            payload=payload,
            raw_payload=raw,
            queried=queried,
        )
