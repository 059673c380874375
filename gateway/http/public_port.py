"""The public port: how much its connections may take, and what refused ones are answered."""

import hashlib
import hmac
import re
import resource
from collections.abc import Sequence

import structlog

from contracts.ids import uuid7
from gateway.http.forwarded import Network, address_of, is_within
from gateway.problems import PROBLEM_JSON, PROBLEMS, ProblemError
from gateway.rate_limit.limiter import site_of
from infra.http.bounds import Bounds, ClientKey
from infra.http.refusals import Headers, Refusal
from infra.observability.http_tracing import traceparent_in
from infra.observability.trace_context import child_of, trace_id_of

log = structlog.get_logger(__name__)

OTHER_FILES = 256
"""File descriptors for all that is no connection of a client's."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_MEANINGLESS_ID = re.compile(
    r"[0-9a-f]{16,64}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE
)


def request_id_of(given: str | None) -> str:
    """The client's, where it is one line of a modest alphabet, or a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else str(uuid7())


def correlation_id_of(request_id: str, key: bytes) -> str:
    """What stands for a request on topics, in tables and in logs.

    The request's id where it is a UUID or 16 to 64 hexadecimal digits; of any other, in which a
    name may stand, an HMAC. So the same id of a client's has the same one each time.
    """
    if _MEANINGLESS_ID.fullmatch(request_id):
        return request_id
    return hmac.new(key, b"request-id:" + request_id.encode(), hashlib.sha256).hexdigest()[:32]


class ProblemRenderer:
    """Renders a refusal as the gateway renders its problems."""

    def __init__(self, security: Sequence[tuple[bytes, bytes]]) -> None:
        self._security = security

    def __call__(self, refusal: Refusal, headers: Headers) -> tuple[Headers, bytes]:
        given = [value.decode("latin-1") for name, value in headers if name == b"x-request-id"]
        request_id = request_id_of(given[0] if len(given) == 1 else None)
        problem = PROBLEMS[refusal.code]
        fields = [
            (b"content-type", PROBLEM_JSON.encode()),
            (b"x-request-id", request_id.encode()),
            *self._security,
        ]
        if problem.retry_after is not None:
            fields.append((b"retry-after", str(problem.retry_after).encode()))
        trace_id = trace_id_of(child_of(traceparent_in(headers)))
        return fields, ProblemError(refusal.code, refusal.detail).body(request_id, trace_id)


def connection_bounds(connections: int, *, of_client: int, buffered_bytes: int) -> Bounds:
    """As asked for, but for no more connections than the process may have files open."""
    wanted = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        connections = max(soft - OTHER_FILES, soft // 2)
        log.warning("connections_limited_by_open_files", connections=connections, files=soft)
    return Bounds(
        connections=connections,
        connections_of_client=of_client,
        buffered_bytes=buffered_bytes,
    )


def client_key(trusted_proxies: Sequence[Network]) -> ClientKey:
    """Connections are counted by site; those of a trusted proxy are of many clients."""

    def key(peer: str) -> str | None:
        address = address_of(peer)
        if address is None or is_within(address, trusted_proxies):
            return None
        return site_of(str(address))

    return key
