"""How a route is declared: one `Endpoint` says what it takes, who may call it, what it answers.

Routes, the OpenAPI document and the tests of object access are made from these.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from gateway.http.call import Call
from gateway.problems import ProblemError
from gateway.rate_limit.policies import Policy


class AccessLevel(Enum):
    """Who may call."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    VERIFIED = "signed in, address verified"
    ADMIN = "permission `admin`"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "application/json"

    @property
    def pending(self) -> bool:
        """Whether the outcome is still to come: it may be a refusal yet."""
        return any(name == "Location" for name, _ in self.headers)

    def content(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return orjson.dumps(self.body, default=str, option=orjson.OPT_UTC_Z)


Handler = Callable[[Call, Any], Awaitable[Answer | Response]]
"""Given the call and the gateway's dependencies (`GatewayDeps`)."""


@dataclass(frozen=True, slots=True)
class Link:
    """What an answer leads to: an operation, and where its parameters are in what was said."""

    operation: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path. `keyed`: whether a command's Idempotency-Key counts (ADR 6).

    `by_ticket`: whether `?ticket=` may stand for the access token. `for_pages`: whether only pages
    of trusted origins may call, with credentials. `by_cookie`: whether the cookie is what it needs.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: dict[int, type[BaseModel] | None]
    problems: tuple[str, ...] = ()
    access: AccessLevel = AccessLevel.ANYONE
    body: type[BaseModel] | None = None
    body_optional: bool = False
    query: type[BaseModel] | None = None
    command: bool = False
    limits: tuple[Policy, ...] = ()
    links: tuple[Link, ...] = ()
    keyed: bool = True
    by_ticket: bool = False
    for_pages: bool = False
    by_cookie: bool = False
    media_type: str = "application/json"

    @property
    def is_stream(self) -> bool:
        """Whether the answer goes on without end."""
        return self.media_type == "text/event-stream"

    @property
    def repeatable(self) -> bool:
        """Whether the same request again has the first one's effect and outcome."""
        return self.command and self.keyed


Methods = Mapping[str, Endpoint]
"""The endpoints of one path."""


def endpoint_for(method: str, methods: Methods) -> Endpoint:
    """HEAD is answered as GET is, but for its content.

    Raises `ProblemError` that names the methods there are.
    """
    if endpoint := methods.get(method):
        return endpoint
    if method == "HEAD" and (endpoint := methods.get("GET")) and not endpoint.is_stream:
        return endpoint
    raise ProblemError("method-not-allowed", headers={"Allow": ", ".join(allowed(methods))})


def allowed(methods: Methods) -> list[str]:
    """The methods that a path takes."""
    get = methods.get("GET")
    return sorted([*methods, "HEAD"] if get and not get.is_stream else methods)
