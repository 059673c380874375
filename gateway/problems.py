"""Problems (RFC 9457): every error that a client can see, in one table."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from infra.observability.tracing import current_trace_id

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error: its status, title and what a client does about it."""

    status: int
    title: str
    retry_after: int | None = None


PROBLEMS: dict[str, Problem] = {
    "malformed-request": Problem(400, "The request is malformed"),
    "invalid-token": Problem(400, "The token is not valid"),
    "invalid-idempotency-key": Problem(400, "The Idempotency-Key is not valid"),
    "unauthenticated": Problem(401, "A valid access token is required"),
    "invalid-credentials": Problem(401, "Address and password do not match"),
    "invalid-refresh-token": Problem(401, "The refresh token is not valid"),
    "token-reused": Problem(401, "The refresh token was used before; the session has ended"),
    "wrong-password": Problem(403, "The password is not that of the account"),
    "proof-required": Problem(
        403, "Confirming a sign-up also requires its password or its signup_secret"
    ),
    "email-not-verified": Problem(403, "The e-mail address is not verified"),
    "forbidden": Problem(403, "The caller does not have the required permission"),
    "untrusted-origin": Problem(403, "Only pages of trusted origins may call"),
    "not-found": Problem(404, "The resource does not exist"),
    "unknown-symbol": Problem(404, "The symbol does not exist"),
    "unknown-session": Problem(404, "The session does not exist"),
    "unknown-user": Problem(404, "The user does not exist"),
    "method-not-allowed": Problem(405, "The method is not allowed for this resource"),
    "request-timeout": Problem(408, "The request was not received in time"),
    "watchlist-full": Problem(409, "The watchlist is full"),
    "user-not-verified": Problem(409, "The user's e-mail address is not verified"),
    "address-taken": Problem(409, "The address already belongs to another account"),
    "last-admin": Problem(409, "The user is the last admin"),
    "expired-token": Problem(410, "The token has expired"),
    "command-forgotten": Problem(410, "The command is older than the retention period"),
    "precondition-failed": Problem(
        412, "The condition cannot be met: resources have no entity tags"
    ),
    "body-too-large": Problem(413, "The body is too large"),
    "target-too-long": Problem(414, "The path and query are too long"),
    "unsupported-media-type": Problem(415, "The body must be application/json"),
    "expectation-failed": Problem(417, "The expectation cannot be met"),
    "invalid-fields": Problem(422, "Some fields are not valid"),
    "weak-password": Problem(422, "The new password is too easy to guess"),
    "idempotency-key-reused": Problem(422, "The Idempotency-Key was used with another body"),
    "rate-limited": Problem(429, "Too many requests", retry_after=1),
    "too-many-streams": Problem(429, "Too many streams are open", retry_after=5),
    "too-many-connections": Problem(429, "Too many connections are open", retry_after=1),
    "head-too-large": Problem(431, "The request line and headers are too large"),
    "internal-error": Problem(500, "An internal error occurred"),
    "discarded": Problem(500, "The command could not be executed and was discarded"),
    "not-implemented": Problem(501, "The server does not implement this"),
    "try-again": Problem(503, "The service is temporarily unavailable", retry_after=2),
    "broker-unavailable": Problem(503, "Commands are temporarily not accepted", retry_after=2),
    "indeterminate": Problem(503, "The command may or may not have been accepted", retry_after=2),
    "reads-unavailable": Problem(503, "Reads are temporarily unavailable", retry_after=2),
    "quote-unavailable": Problem(503, "No price is available", retry_after=30),
    "history-unavailable": Problem(503, "No price history is available", retry_after=30),
    "search-unavailable": Problem(503, "The search is temporarily unavailable", retry_after=5),
    "overloaded": Problem(503, "The server is overloaded", retry_after=1),
    "draining": Problem(503, "The server is shutting down; repeat the request", retry_after=1),
    "version-not-supported": Problem(505, "The HTTP version is not supported"),
}


BEFORE_ROUTES = frozenset(
    {
        "expectation-failed",
        "head-too-large",
        "method-not-allowed",
        "not-implemented",
        "overloaded",
        "request-timeout",
        "target-too-long",
        "too-many-connections",
        "version-not-supported",
    }
)
"""What any request may be answered before it is known which route it is for."""


@dataclass(eq=False)
class ProblemError(Exception):
    """Raised anywhere in the gateway, answered as problem+json."""

    code: str
    detail: str | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.code]

    def body(self, request_id: str, trace_id: str | None = None) -> bytes:
        """The document. The trace is the one in hand, unless it is given."""
        problem = self.problem
        body: dict[str, Any] = {
            "type": f"urn:qnt9:problem:{self.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": self.detail or problem.title,
            "code": self.code,
            "request_id": request_id,
        }
        if trace_id := trace_id or current_trace_id():
            body["trace_id"] = trace_id
        if self.errors:
            body["errors"] = self.errors
        return orjson.dumps(body)
