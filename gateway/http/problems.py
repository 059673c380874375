"""Problems (RFC 9457): every error that a client can see, in one table."""

from dataclasses import dataclass, field
from typing import Any

import orjson

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error: its status, title and what a client does about it."""

    status: int
    title: str
    retry_after: int | None = None


PROBLEMS: dict[str, Problem] = {
    "malformed-request": Problem(400, "The request cannot be read"),
    "invalid-token": Problem(400, "The token is not valid"),
    "invalid-idempotency-key": Problem(400, "The Idempotency-Key is not valid"),
    "unauthenticated": Problem(401, "A valid access token is needed"),
    "invalid-credentials": Problem(401, "Address and password do not match"),
    "invalid-refresh-token": Problem(401, "The refresh token is not valid"),
    "token-reused": Problem(401, "The refresh token was used before; the session has ended"),
    "wrong-password": Problem(403, "The password is not the account's"),
    "proof-required": Problem(
        403, "The link of a sign-up also takes its password or its signup_secret"
    ),
    "email-not-verified": Problem(403, "The e-mail address is not verified"),
    "forbidden": Problem(403, "This takes a permission that the caller does not have"),
    "not-found": Problem(404, "There is nothing here"),
    "unknown-symbol": Problem(404, "No such symbol"),
    "unknown-session": Problem(404, "No such session"),
    "unknown-user": Problem(404, "No such user"),
    "method-not-allowed": Problem(405, "The method is not allowed here"),
    "request-timeout": Problem(408, "The request did not come in time"),
    "watchlist-full": Problem(409, "The watchlist is full"),
    "user-not-verified": Problem(409, "The user's e-mail address is not verified"),
    "address-taken": Problem(409, "The address belongs to another account by now"),
    "last-admin": Problem(409, "Nobody else is an admin"),
    "expired-token": Problem(410, "The token has expired"),
    "command-forgotten": Problem(410, "The command is older than is remembered"),
    "precondition-failed": Problem(412, "Conditions on entity tags cannot be met: there are none"),
    "body-too-large": Problem(413, "The body is too large"),
    "target-too-long": Problem(414, "The path and query are too long"),
    "unsupported-media-type": Problem(415, "The body must be application/json"),
    "expectation-failed": Problem(417, "The expectation cannot be met"),
    "invalid-fields": Problem(422, "Some fields are not valid"),
    "weak-password": Problem(422, "The new password is too easily guessed"),
    "idempotency-key-reused": Problem(422, "The Idempotency-Key was used with another body"),
    "rate-limited": Problem(429, "Too many requests", retry_after=1),
    "too-many-streams": Problem(429, "Too many streams are open", retry_after=5),
    "too-many-connections": Problem(429, "Too many connections are open", retry_after=1),
    "head-too-large": Problem(431, "The request line and headers are too large"),
    "internal-error": Problem(500, "Something went wrong on our side"),
    "discarded": Problem(500, "The command could not be carried out and was given up"),
    "not-implemented": Problem(501, "The server does not know how to do this"),
    "try-again": Problem(503, "Not possible right now", retry_after=2),
    "broker-unavailable": Problem(503, "Commands cannot be accepted right now", retry_after=2),
    "indeterminate": Problem(503, "The command may or may not have been accepted", retry_after=2),
    "reads-unavailable": Problem(503, "Reading is not possible right now", retry_after=2),
    "quote-unavailable": Problem(503, "No price is known and none can be had", retry_after=30),
    "search-unavailable": Problem(503, "Nobody can search right now", retry_after=5),
    "overloaded": Problem(503, "The server is overloaded", retry_after=1),
    "draining": Problem(503, "This server is going away; ask again", retry_after=1),
    "version-not-supported": Problem(505, "The version of HTTP is not supported"),
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
    """Raised anywhere in the edge, answered as problem+json."""

    code: str
    detail: str | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.code]

    def body(self, request_id: str) -> bytes:
        problem = self.problem
        body: dict[str, Any] = {
            "type": f"urn:qnt9:problem:{self.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": self.detail or problem.title,
            "code": self.code,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = self.errors
        return orjson.dumps(body)
